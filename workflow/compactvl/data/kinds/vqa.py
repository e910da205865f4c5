"""BabyLM's VQA: json or jsonl of question, target_ans, distractors (7), perhaps question_type."""

import json
from typing import Literal

from pydantic import Field

from compactvl.data.babylm import BabylmTask, Record, first_of, text_of, warn_of
from compactvl.errors import UserError

DISTRACTORS = 7


class Settings(BabylmTask):
    """BabyLM's VQA: a question, its answer and seven distractors."""

    holds = frozenset({"ranked_answers"})

    kind: Literal["vqa"] = Field(description="BabyLM's VQA, json or jsonl.")

    def columns(self, record: Record, where: str, stem: str) -> dict[str, str]:
        """Return question, answer, distractors (JSON list), type."""
        distractors = record.get("distractors")
        if not isinstance(distractors, list) or len(distractors) != DISTRACTORS:
            raise UserError(f"{where}: field 'distractors' is not a list of {DISTRACTORS} answers")
        if not all(isinstance(one, str) and one.strip() and "\0" not in one for one in distractors):
            raise UserError(f"{where}: field 'distractors' has an answer that is no text")
        answer, distractors = text_of(record, "target_ans", where), [" ".join(one.split()) for one in distractors]
        if answer in distractors:
            warn_of(where, "the right answer is among the distractors")
        return {
            "question": text_of(record, "question", where),
            "answer": answer,
            "distractors": json.dumps(distractors, ensure_ascii=False),
            "type": first_of(record, "question_type", "answer_type"),
        }

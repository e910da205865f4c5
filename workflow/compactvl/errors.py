"""The one exception that means "the user can mend this"."""

import pickle


class UserError(Exception):
    """A bad setting, file or environment: what is wrong, where, and what to do, in one line.

    The console program prints it as ``error: ...`` and exits with code 2. Every other exception is a
    defect of ours and keeps its traceback.
    """


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, at most 160 characters."""
    if isinstance(error, pickle.UnpicklingError):
        return "its weights are a pickle of more than tensors, which is never run"
    return (str(error).splitlines() or [type(error).__name__])[0][:160]

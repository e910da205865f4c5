"""The one exception that means "the user can mend this"."""


class UserError(Exception):
    """A bad setting, file or environment: what is wrong, where, and what to do, in one line.

    The console program prints it as ``error: ...`` and exits with code 2. Every other exception is a
    defect of ours and keeps its traceback.
    """

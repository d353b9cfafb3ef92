"""The command line. Exit codes: 0 done, 1 some runs failed, 2 wrong config or usage, 3 stopped at the time limit, 130
interrupted. What a user can put right is said in plain lines on stderr, without a traceback.
"""

import errno
import os
import sys
from difflib import get_close_matches

from testbed.commands.app import app

RUN_FAILED, USAGE, TIME_LIMIT, INTERRUPTED = 1, 2, 3, 130
PLACES = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR)
)
"""Errors of the place where files are to be, which a user can put right."""


def main() -> None:
    """Run the command that sys.argv asks for; ends the process, or raises SystemExit."""
    try:
        status = call(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is flushed into the pipe at exit
        status = 0
    if status == INTERRUPTED:  # at once: an orderly end of all that is imported takes a second or two, and Python would
        sys.stderr.flush()  # kill itself by the signal where Ctrl-C passed through an exec, of which imports have many
        os._exit(status)
    raise SystemExit(status)


def call(arguments: list[str]) -> int:
    """The exit code of a command; what a user can put right is said on stderr."""
    try:
        status = app(arguments or ["--help"], prog_name="testbed", standalone_mode=False)
        if status == INTERRUPTED:  # what some versions of typer make of Ctrl-C; others raise Abort
            return _interrupted()
        return status if isinstance(status, int) else 0
    except KeyboardInterrupt:
        return _interrupted()
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # typer makes a failure of it
            return 0
        raise
    except BrokenPipeError:
        raise
    except Exception as error:
        if type(error).__name__ == "Abort":
            return _interrupted()
        if hasattr(
            error, "format_message"
        ):  # typer's errors of usage; whether click lies beneath depends on its version
            say(_usage_message(error))
            return USAGE
        if isinstance(error, OSError) and error.errno in PLACES:
            where = "" if error.filename is None else f"{error.filename}: "
            say(f"{where}{error.strerror}; what is stored is kept, and the same command goes on from here")
            return USAGE
        from testbed.core.errors import TestbedError

        if not isinstance(error, TestbedError):
            raise
        say(str(error))
        return TIME_LIMIT if type(error).__name__ == "TimeLimitReached" else USAGE


def say(message: str) -> None:
    """Lines on stderr, each headed by the program's name."""
    for line in message.splitlines():
        print(f"testbed: {line}", file=sys.stderr, flush=True)


def _interrupted() -> int:
    say("interrupted; the same command goes on from here")
    return INTERRUPTED


def _usage_message(error: Exception) -> str:
    """One line, with the nearest option for one that there is not, and where the help is."""
    message = " ".join(error.format_message().split()).rstrip(".")  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    given = getattr(error, "option_name", None)
    if context is not None and given is not None:
        known = [option for parameter in context.command.params for option in parameter.opts if option[0] == "-"]
        close = get_close_matches(given, known, n=1)
        message = f"there is no option {given}" + (f"; did you mean {close[0]}?" if close else "")
    path = context.command_path if context is not None else "testbed"
    return f"{message}; see {path} --help"


if __name__ == "__main__":
    main()

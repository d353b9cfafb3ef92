"""One progress bar with the time left; plain lines where there is no terminal."""

import sys
import time
from typing import Any, TextIO

LINE_SECONDS = 15.0


class Progress:
    """Counts positions of work done out of a known total."""

    def __init__(self, label: str, total: int, done: int = 0, stream: TextIO | None = None) -> None:
        self.label, self.total, self.start_done, self.done = label, max(total, 1), done, float(done)
        self.stream = sys.stderr if stream is None else stream
        self.started = self.last_line = time.monotonic()
        self.bar: Any = None
        if self.stream.isatty():
            from tqdm import tqdm

            self.bar = tqdm(
                total=self.total,
                initial=done,
                desc=label,
                unit="",
                unit_scale=True,
                file=self.stream,
                bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed} gone, {remaining} left",
            )

    def advance(self, amount: float) -> None:
        """So much more is done."""
        self.done += amount
        if self.bar is not None:
            self.bar.update(amount)
        elif time.monotonic() - self.last_line > LINE_SECONDS:
            self.last_line = time.monotonic()
            print(f"{self.label}: {self._line()}", file=self.stream, flush=True)

    def _line(self) -> str:
        gone = time.monotonic() - self.started
        new = self.done - self.start_done
        left = f", about {(self.total - self.done) * gone / new:.0f} s left" if new > 0 else ""
        return f"{100 * self.done / self.total:.0f} % done, {gone:.0f} s gone{left}"

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()

"""A gateway with a SIMCom module, as Python programs with a thread for reading are written: whole lines, and their beginnings.

OK and results may come in either order. Usage: simcom_gateway.py PORT
"""

import os
import queue
import sys
import threading
import time
import tty


class Gateway:
    """The port, and a queue of its lines."""

    def __init__(self, path: str) -> None:
        self.port = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.port)
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        kept = b""
        while True:
            kept += os.read(self.port, 1024)
            *lines, kept = kept.split(b"\n")
            for line in lines:
                if line.strip():
                    self.lines.put(line.strip().decode())
            # The prompt has no line end of its own on some of them.
            if kept.strip() == b">":
                self.lines.put(">")
                kept = b""

    def write(self, text: str) -> None:
        os.write(self.port, text.encode() + b"\r\n")

    def wait(self, *wanted: str, seconds: float = 10) -> list[str]:
        """The lines until each of these has come, as the beginning of a line."""
        end = time.monotonic() + seconds
        came: list[str] = []
        left = list(wanted)
        while left:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                sys.exit(f"no {left} in {came}")
            came.append(line)
            found = next((each for each in left if line.startswith(each)), None)
            if found:
                left.remove(found)
            elif "ERROR" in line:
                sys.exit(f"no {left} in {came}")
        return came

    def command(self, line: str, *wanted: str) -> list[str]:
        self.write(line)
        return self.wait("OK", *wanted, seconds=30)

    def typed(self, line: str, text: str, *wanted: str) -> list[str]:
        self.write(line)
        self.wait(">")
        return self.command(text, *wanted)


def main(path: str) -> int:
    gateway = Gateway(path)
    gateway.write("ATE0")
    gateway.wait("OK")
    gateway.command("AT+CMEE=0")
    gateway.command("AT+CGATT?", "+CGATT: 1")
    gateway.command("AT+CMQTTSTART", "+CMQTTSTART: 0")
    gateway.command('AT+CMQTTACCQ=0,"gateway",0')
    if '+CMQTTACCQ: 0,"gateway",0' not in gateway.command("AT+CMQTTACCQ?"):
        sys.exit("AT+CMQTTACCQ? does not tell the client")
    gateway.command('AT+CMQTTCONNECT=0,"tcp://broker.example:1883",90,1', "+CMQTTCONNECT: 0,0")
    gateway.typed("AT+CMQTTSUB=0,11,1", "gateway/cmd", "+CMQTTSUB")
    gateway.typed("AT+CMQTTTOPIC=0,11", "gateway/cmd")
    gateway.typed("AT+CMQTTPAYLOAD=0,9", "reboot: 5")
    came = gateway.command("AT+CMQTTPUB=0,1,60", "+CMQTTPUB: 0,0", "+CMQTTRXEND: 0")
    expected = ["+CMQTTRXSTART: 0,11,9", "+CMQTTRXTOPIC: 0,11", "gateway/cmd", "+CMQTTRXPAYLOAD: 0,9", "reboot: 5"]
    start = came.index(expected[0]) if expected[0] in came else 0
    if came[start : start + 6] != [*expected, "+CMQTTRXEND: 0"]:
        sys.exit(f"the message: {came}")
    gateway.typed("AT+CMQTTUNSUB=0,11,0", "gateway/cmd", "+CMQTTUNSUB: 0,0")
    gateway.command("AT+CMQTTDISC=0,60", "+CMQTTDISC: 0,0")
    gateway.command("AT+CMQTTREL=0")
    gateway.command("AT+CMQTTSTOP", "+CMQTTSTOP: 0")
    print("simcom_gateway: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

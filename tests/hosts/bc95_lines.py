"""A gateway with a BC95, as Python programs with a serial port are written: send, sleep, read, compare lines.

Echo stays on, so that the first line of each answer is the command; OK and the result must come in readings of their own.
Messages go inline. Usage: bc95_lines.py PORT
"""

import os
import sys
import termios
import time
import tty


PAUSE = 0.4
"""Seconds; a result that comes sooner is read with OK, and nobody understands the two together."""


class Serial:
    """As much of a serial port as such programs use."""

    def __init__(self, path: str) -> None:
        self.port = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.port)
        speed = termios.tcgetattr(self.port)
        speed[4] = speed[5] = termios.B9600
        termios.tcsetattr(self.port, termios.TCSANOW, speed)

    def write(self, line: str) -> None:
        os.write(self.port, line.encode() + b"\r\n")

    def read_lines(self) -> list[str]:
        """Everything that is there, as lines without their ends."""
        came = b""
        while True:
            try:
                came += os.read(self.port, 4096)
            except BlockingIOError:
                return [line for line in came.decode().replace("\r", "").split("\n") if line]


def main(path: str) -> int:
    serial = Serial(path)

    def send(line: str) -> list[str]:
        serial.write(line)
        time.sleep(PAUSE)
        answer = serial.read_lines()
        if answer[:1] != [line]:
            sys.exit(f"{line}: not echoed: {answer}")
        return answer[1:]

    def must(line: str, *expected: str) -> None:
        answer = send(line)
        if answer != [*expected, "OK"]:
            sys.exit(f"{line}: {answer}")

    def result(line: str, *expected: str) -> None:
        must(line)
        wait_for(line, set(expected))

    def wait_for(line: str, wanted: set[str]) -> None:
        deadline = time.monotonic() + 20
        came: list[str] = []
        while not wanted <= set(came):
            if time.monotonic() > deadline:
                sys.exit(f"{line}: {came}, not {wanted}")
            time.sleep(0.1)
            came += serial.read_lines()

    for _ in range(10):
        serial.write("AT")
        time.sleep(PAUSE)
        if serial.read_lines()[-1:] == ["OK"]:
            break
    must("AT+CMEE=1")
    must("AT+NBAND?", "+NBAND:5")
    must("AT+NCONFIG=AUTOCONNECT,TRUE")
    must("AT+CFUN=1")
    must("AT+CGATT?", "+CGATT:1")
    must("AT+CEREG?", "+CEREG:0,1")
    must('AT+QMTCFG="version",0,4')
    result('AT+QMTOPEN=0,"broker.example",1883', "+QMTOPEN: 0,0")
    result('AT+QMTCONN=0,"gateway"', "+QMTCONN: 0,0,0")
    result('AT+QMTSUB=0,1,"gateway/set",0', "+QMTSUB: 0,1,0,0")
    publish = 'AT+QMTPUB=0,2,1,0,"gateway/set","{"led":"on"}"'
    result(publish, "+QMTPUB: 0,2,0", '+QMTRECV: 0,0,"gateway/set","{"led":"on"}"')
    result('AT+QMTUNS=0,3,"gateway/set"', "+QMTUNS: 0,3,0")
    result("AT+QMTDISC=0", "+QMTDISC: 0,0")
    print("bc95_lines: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

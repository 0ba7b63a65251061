"""A host that knows nothing of ours: a session by hand on the port it is given, over ``termios``; what it saw is its output.

    python host_program.py PORT PASSWORD [COMMAND…]

With commands: these instead of the session.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import tty

WITHIN_S = 20.0


def main(port: str, password: str, *commands: str) -> int:
    line = os.open(port, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    settings = termios.tcgetattr(line)
    settings[4] = settings[5] = termios.B115200
    termios.tcsetattr(line, termios.TCSANOW, settings)
    seen = b""

    def ask(text: str, *answers: str) -> None:
        nonlocal seen
        os.write(line, text.encode())
        for answer in answers:
            while answer.encode() not in seen:
                if not select.select([line], [], [], WITHIN_S)[0]:
                    raise SystemExit(f"{text!r}: waited for {answer!r}, came {seen!r}")
                seen += os.read(line, 4096)
                if b"ERROR" in seen and "ERROR" not in answer:
                    raise SystemExit(f"{text!r}: waited for {answer!r}, came {seen!r}")
            print(answer.strip())
            seen = seen[seen.index(answer.encode()) + len(answer) :]

    for command in commands:
        ask(command + "\r", "OK\r\n")
    if commands:
        return 0
    ask("ATE0\r", "OK\r\n")
    ask('AT+QMTCFG="recv/mode",0,0,1\r', "OK\r\n")
    ask('AT+QMTCFG="aliauth",0,"key","device","secret-of-the-device"\r', "OK\r\n")
    ask('AT+QMTCFG="aliauth",0,"","",""\r', "OK\r\n")
    ask('AT+QFUPL="k.pem",20,5\r', "CONNECT\r\n")
    ask("-----PRIVATE KEY----", "+QFUPL: 20,", "OK\r\n")
    ask('AT+QMTOPEN=0,"hub.example",1883\r', "OK\r\n", "+QMTOPEN: 0,0\r\n")
    ask(f'AT+QMTCONN=0,"dev","user","{password}"\r', "OK\r\n", "+QMTCONN: 0,0,0\r\n")
    ask('AT+QMTSUB=0,1,"a/b",1\r', "OK\r\n", "+QMTSUB: 0,1,0,1\r\n")
    ask('AT+QMTPUBEX=0,2,1,0,"a/b",5\r', "> ")
    ask("21.5C", "OK\r\n")
    # The own message and the result of its publish may change places.
    ask("", "21.5C")
    ask('AT+QMTUNS=0,3,"a/b"\r', "OK\r\n", "+QMTUNS: 0,3,0\r\n")
    ask("AT+QMTDISC=0\r", "OK\r\n", "+QMTDISC: 0,0\r\n")
    print("the session is over")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

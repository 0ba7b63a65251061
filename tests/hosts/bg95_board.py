"""A board with a BG95, as MicroPython programs for it are written: CR behind commands, a look every 0.1 s, `in` on the lines.

It publishes without a length, with Ctrl-Z and a CR behind it. Runs with MicroPython: micropython bg95_board.py PORT
"""

import select
import sys
import termios
import time

CTRL_Z = "\x1a"


class Modem:
    """The UART of the board, and the commands on it."""

    def __init__(self, path):
        self.port = open(path, "r+b", buffering=0)
        termios.setraw(self.port.fileno())
        self.poll = select.poll()
        self.poll.register(self.port, select.POLLIN)
        self.lines = []

    def send(self, text, end="\r"):
        self.port.write((text + end).encode())

    def look(self):
        """Take in the lines that have come."""
        time.sleep(0.1)
        came = b""
        while self.poll.poll(0):
            came += self.port.read(1)
        self.lines += [part for part in came.decode().split("\r\n") if part]

    def wait(self, desired, timeout=5):
        """True once a line holds what is desired; the lines up to it are done with."""
        start = time.time()
        while time.time() - start < timeout:
            for index, line in enumerate(self.lines):
                if desired in line:
                    self.lines = self.lines[index + 1 :]
                    return True
                if "ERROR" in line:
                    return False
            self.look()
        return False

    def seen(self, part, timeout=30):
        """True once a line holds this; no line is done with."""
        start = time.time()
        while time.time() - start < timeout:
            if any(part in line for line in self.lines):
                return True
            self.look()
        return False

    def command(self, text, desired="OK", timeout=5):
        self.send(text)
        if not self.wait(desired, timeout):
            print("%s: no %s in %s" % (text, desired, self.lines))
            sys.exit(1)

    def request(self, text, result):
        self.command(text)
        if not self.wait(result, 60):
            print("%s: no %s in %s" % (text, result, self.lines))
            sys.exit(1)


def main(path):
    modem = Modem(path)
    for _ in range(20):
        modem.send("AT")
        if modem.wait("OK", 1):
            break
    modem.command("ATE0")
    modem.command("AT+CFUN=1")
    modem.command("AT+CPIN?", "+CPIN: READY")
    modem.command('AT+CGDCONT=1,"IP","super"')
    modem.command("AT+CREG?", "+CREG: 0,1")
    modem.command("AT+CGATT?", "+CGATT: 1")
    modem.command("AT+QIACT?")
    modem.lines = []
    modem.command('AT+QMTCFG="version",0,4')
    modem.command('AT+QMTCFG="SSL",0,0,2')
    modem.command('AT+QMTCFG="will",0,1,1,                        0,"board/will","gone"')
    modem.request('AT+QMTOPEN=0,"broker.example",1883', "+QMTOPEN: 0,0")
    modem.request('AT+QMTCONN=0,"board","user","password"', "+QMTCONN: 0,0,0")
    modem.request('AT+QMTSUB=0,1,"board/topic",1,"board/other",0', "+QMTSUB: 0,1,0,1,0")
    modem.command('AT+QMTPUB=0,2,1,0,"board/topic"', ">")
    modem.send('{"message": "Hello from the board"}', end="")
    modem.command(CTRL_Z)
    # The result and the message come in either order.
    for part in ("+QMTPUB: 0,2,0", '"board/topic","{"message": "Hello from the board"}"'):
        if not modem.seen(part):
            print("publish: no %s in %s" % (part, modem.lines))
            sys.exit(1)
    modem.lines = []
    modem.request('AT+QMTUNS=0,3,"board/topic"', "+QMTUNS: 0,3,0")
    modem.request("AT+QMTDISC=0", "+QMTDISC: 0,0")
    print("bg95_board: passed")


main(sys.argv[1])

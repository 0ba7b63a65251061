"""A display with an A76xx, as MicroPython programs for it are written: write, sleep, read all there is, `in`.

Runs with MicroPython: micropython a76xx_loop.py PORT
"""

import select
import sys
import termios
import time

port = open(sys.argv[1], "r+b", buffering=0)
termios.setraw(port.fileno())
poll = select.poll()
poll.register(port, select.POLLIN)


def read():
    came = b""
    while poll.poll(0):
        came += port.read(1)
    return came.decode()


def send(line, expected="OK", rounds=40, rest=0.2):
    """Write a line; look again and again until what is expected has come."""
    port.write((line + "\r\n").encode())
    answer = ""
    for _ in range(rounds):
        time.sleep(rest)
        answer += read()
        if expected in answer:
            return answer
    print("%s: no %s in %r" % (line, expected, answer))
    sys.exit(1)


def typed(line, text, result="OK"):
    send(line, ">")
    return send(text, result)


for _ in range(20):
    port.write(b"AT\r\n")
    time.sleep(0.3)
    if "OK" in read():
        break
send("ATE0")
send("AT+CGATT?", "+CGATT: 1")
send("AT+CGPADDR=1", "+CGPADDR: 1")
send("AT+CMQTTSTART", "+CMQTTSTART: 0")
send('AT+CMQTTACCQ=0,"display"')
send('AT+CMQTTCONNECT=0,"tcp://broker.example:1883",60,1', "+CMQTTCONNECT: 0,0")
typed("AT+CMQTTSUB=0,12,1", "display/text", "+CMQTTSUB")
typed("AT+CMQTTTOPIC=0,12", "display/text")
typed("AT+CMQTTPAYLOAD=0,15", "22.5 C, cloudy ")
seen = send("AT+CMQTTPUB=0,0,60", "+CMQTTPUB: 0,0")
for _ in range(100):
    if "+CMQTTRXEND: 0" in seen:
        break
    time.sleep(0.1)
    seen += read()
for part in ("+CMQTTRXTOPIC: 0,12", "display/text", "+CMQTTRXPAYLOAD: 0,15", "22.5 C, cloudy ", "+CMQTTRXEND: 0"):
    if part not in seen:
        print("the message: no %s in %r" % (part, seen))
        sys.exit(1)
typed("AT+CMQTTUNSUB=0,12,0", "display/text", "+CMQTTUNSUB: 0,0")
send("AT+CMQTTDISC=0,120", "+CMQTTDISC: 0,0")
send("AT+CMQTTREL=0")
send("AT+CMQTTSTOP", "+CMQTTSTOP: 0")
print("a76xx_loop: passed")

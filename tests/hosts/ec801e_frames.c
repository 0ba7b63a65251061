/* A panel with an EC801E or EC800, as programs with an idle-line interrupt are written: what comes between two pauses is a frame
 * and is compared whole. The echo stays on, of commands and of payloads, and OK has a frame of its own.
 * Usage: ec801e_frames PORT */
#include "serial_port.h"

static int port;
static char frame[4096];

/* The next frame: bytes up to a pause of 20 ms. */
static const char *next(int ms) {
    size_t length = port_read(port, frame, sizeof frame - 1, ms);
    while (length > 0 && length < sizeof frame - 1) {
        size_t more = port_read(port, frame + length, sizeof frame - 1 - length, 20);
        if (more == 0) break;
        length += more;
    }
    frame[length] = 0;
    return frame;
}

static void is(const char *step, const char *expected, int ms) {
    if (strcmp(next(ms), expected) != 0) {
        fprintf(stderr, "%s: the frame \"%s\", not \"%s\"\n", step, frame, expected);
        exit(1);
    }
}

/* A command: its echo and OK are one frame, its result the next. */
static void must(const char *command, const char *result) {
    char expected[512];
    snprintf(expected, sizeof expected, "%s\r\r\nOK\r\n", command);
    port_write(port, command, strlen(command));
    port_write(port, "\r\n", 2);
    is(command, expected, 1000);
    if (result) {
        snprintf(expected, sizeof expected, "\r\n%s\r\n", result);
        is(command, expected, 10000);
    }
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    port = port_open(argv[1]);
    for (int attempt = 0;; attempt++) {
        port_write(port, "AT\r\n", 4);
        if (strstr(next(500), "OK")) break;
        if (attempt == 20) return 1;
    }
    must("AT+CFUN=1", NULL);
    must("AT+QMTCFG=\"version\",0,4", NULL);
    must("AT+QMTOPEN=0,\"broker.example\",1883", "+QMTOPEN: 0,0");
    must("AT+QMTCONN=0,\"panel\",\"user\",\"password\"", "+QMTCONN: 0,0,0");
    must("AT+QMTSUB=0,1,\"panel/text\",0", "+QMTSUB: 0,1,0,0");
    const char *command = "AT+QMTPUBEX=0,0,0,0,\"panel/data\",13";
    const char *payload = "{\"touched\":1}";
    port_write(port, command, strlen(command));
    port_write(port, "\r\n", 2);
    is(command, "AT+QMTPUBEX=0,0,0,0,\"panel/data\",13\r\r\n> ", 1000);
    port_write(port, payload, strlen(payload));
    is("the payload", "{\"touched\":1}\r\nOK\r\n", 1000);
    is("the publish", "\r\n+QMTPUBEX: 0,0,0\r\n", 10000);
    command = "AT+QMTPUBEX=0,0,0,0,\"panel/text\",5";
    port_write(port, command, strlen(command));
    port_write(port, "\r\n", 2);
    is(command, "AT+QMTPUBEX=0,0,0,0,\"panel/text\",5\r\r\n> ", 1000);
    port_write(port, "Hello", 5);
    is("the payload", "Hello\r\nOK\r\n", 1000);
    /* Result and message may share a frame. */
    const char *result = "\r\n+QMTPUBEX: 0,0,0\r\n";
    const char *message = "\r\n+QMTRECV: 0,0,\"panel/text\",\"Hello\"\r\n";
    int published = 0, received = 0;
    for (int frames = 0; frames < 4 && !(published && received); frames++) {
        next(10000);
        published |= strstr(frame, result) != NULL;
        received |= strstr(frame, message) != NULL;
    }
    if (!published || !received) {
        fprintf(stderr, "the message: \"%s\"\n", frame);
        return 1;
    }
    must("AT+QMTUNS=0,2,\"panel/text\"", "+QMTUNS: 0,2,0");
    port_write(port, "AT+QMTDISC=0\r\n", 14);
    is("AT+QMTDISC", "AT+QMTDISC=0\r\r\nOK\r\n", 1000);
    if (!strstr(next(10000), "\r\n+QMTDISC: 0,0\r\n")) {
        fprintf(stderr, "AT+QMTDISC: \"%s\"\n", frame);
        return 1;
    }
    puts("ec801e_frames: passed");
    return 0;
}

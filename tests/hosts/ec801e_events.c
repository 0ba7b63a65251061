/* A voice terminal's firmware with an EC801E, as those on a small operating system are written: it looks for the speed, takes
 * whole lines and event bits, wants OK within 1 s and results within 10 s, messages in hex, three fields in +QMTCONN, and a
 * word when the session is over. Usage: ec801e_events PORT */
#include <ctype.h>

#include "serial_port.h"

enum { DONE = 1, FAILED = 2, OPENED = 4, OPEN_FAILED = 8, CONNECTED = 16, OVER = 32, MESSAGE = 64, NETWORK = 128, SIM = 256 };

static int port, events, waiting, open_error;
static char buffer[4096], response[256], topic[128], text[512];
static size_t filled;

static void die(const char *step) {
    fprintf(stderr, "%s: not as expected; the last line was \"%s\"\n", step, response);
    exit(1);
}

/* A line "+NAME: field,field": what it means. */
static void notified(char *line) {
    char *values = strstr(line, ": ");
    if (strncmp(line, "+CME ERROR", 10) == 0) {
        events |= FAILED;
        return;
    }
    if (values == NULL) return;
    *values = 0;
    values += 2;
    char *fields[8];
    int count = 0;
    for (char *at = values; at && count < 8; count++) {
        fields[count] = at;
        at = strchr(at, ',');
        if (at) *at++ = 0;
    }
    const char *name = line + 1;
    if (strcmp(name, "CPIN") == 0 && strcmp(fields[0], "READY") == 0) events |= SIM;
    if (strcmp(name, "CEREG") == 0 && count >= 2 && (atoi(fields[1]) == 1 || atoi(fields[1]) == 5)) events |= NETWORK;
    if (strncmp(name, "QMT", 3) != 0 || atoi(fields[0]) != 0) return;
    if (strcmp(name, "QMTOPEN") == 0 && count == 2) {
        open_error = atoi(fields[1]);
        events |= open_error == 0 ? OPENED : OPEN_FAILED;
    }
    if (strcmp(name, "QMTCONN") == 0 && count == 3) events |= atoi(fields[2]) == 0 ? CONNECTED : OVER;
    if (strcmp(name, "QMTSTAT") == 0 && count == 2 && atoi(fields[1]) != 0) events |= OVER;
    if (strcmp(name, "QMTDISC") == 0 && count == 2 && atoi(fields[1]) == 0) events |= OVER;
    if (strcmp(name, "QMTRECV") == 0 && count >= 4) {
        snprintf(topic, sizeof topic, "%s", fields[2]);
        const char *hex = fields[3] + (fields[3][0] == '"');
        size_t length = 0;
        for (; isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]); hex += 2) {
            unsigned byte;
            sscanf(hex, "%2x", &byte);
            text[length++] = (char)byte;
        }
        text[length] = 0;
        events |= MESSAGE;
    }
}

/* One line, or the prompt; false when there is none yet. */
static int parsed(void) {
    if (waiting && filled > 0 && buffer[0] == '>') {
        memmove(buffer, buffer + 1, --filled);
        events |= DONE;
        return 1;
    }
    buffer[filled] = 0;
    char *end = strstr(buffer, "\r\n");
    if (end == NULL) return 0;
    *end = 0;
    if (buffer[0] == '+') {
        notified(buffer);
    } else if (strcmp(buffer, "OK") == 0) {
        events |= DONE;
    } else if (strcmp(buffer, "ERROR") == 0) {
        events |= FAILED;
    } else if (buffer[0]) {
        snprintf(response, sizeof response, "%.255s", buffer);
    }
    size_t taken = (size_t)(end - buffer) + 2;
    memmove(buffer, buffer + taken, filled -= taken);
    return 1;
}

/* Waits for one of these events; the bits of it that came. */
static int await(int bits, long ms) {
    long end = clock_ms() + ms;
    for (;;) {
        while (parsed()) {
        }
        int came = events & bits;
        if (came) {
            events &= ~bits;
            return came;
        }
        long left = end - clock_ms();
        if (left <= 0) return 0;
        filled += port_read(port, buffer + filled, sizeof buffer - 1 - filled, (int)left);
    }
}

static int command(const char *line, const char *data, long ms) {
    events &= ~(DONE | FAILED);
    waiting = 1;
    response[0] = 0;
    port_write(port, line, strlen(line));
    port_write(port, "\r\n", 2);
    int done = await(DONE | FAILED, ms) == DONE;
    if (done && data) {
        port_write(port, data, strlen(data));
        done = await(DONE | FAILED, ms) == DONE;
    }
    waiting = 0;
    return done;
}

static void must(const char *line) {
    if (!command(line, NULL, 1000)) die(line);
}

/* Reads on until nothing has come for this long: answers that were late. */
static void quiet(int ms) {
    do {
        filled = 0;
    } while (port_read(port, buffer, sizeof buffer, ms));
    events = 0;
}

static void found_speed(void) {
    const speed_t speeds[] = {B9600, B921600, B460800, B230400, B115200, B57600, B38400, B19200};
    for (int ms = 20; ms < 1000; ms *= 2) {
        for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++) {
            port_speed(port, speeds[i]);
            if (command("AT", NULL, ms)) {
                quiet(250);
                return;
            }
        }
        quiet(250);
    }
    die("AT at every speed");
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    port = port_open(argv[1]);
    found_speed();
    must("AT+CGMR");
    if (strncmp(response, "EC801E", 6) != 0) die("AT+CGMR");
    must("ATE0");
    must("AT+QURCCFG=\"urcport\",\"uart1\"");
    must("AT+CPIN?");
    if (!await(SIM, 1000)) die("+CPIN");
    must("AT+CEREG=2");
    must("AT+CEREG?");
    if (!await(NETWORK, 5000)) die("+CEREG");
    must("AT+ICCID");
    must("AT+QSCLK=0");
    must("AT+QSSLCFG=\"sslversion\",2,4;+QSSLCFG=\"ciphersuite\",2,0xFFFF;+QSSLCFG=\"seclevel\",2,0");
    must("AT+QMTCFG=\"version\",0,4");
    must("AT+QMTCFG=\"session\",0,1");
    must("AT+QMTCFG=\"keepalive\",0,120");
    must("AT+QMTCFG=\"dataformat\",0,0,1");
    must("AT+QMTOPEN=0,\"broker.example\",1883");
    int opened = await(OPENED | OPEN_FAILED, 10000);
    if (opened == OPEN_FAILED && open_error == 2) {
        /* The session of before a reset of this end: it is ended, and opened anew. */
        must("AT+QMTDISC=0");
        if (!await(OVER, 10000)) die("+QMTDISC of the old session");
        must("AT+QMTOPEN=0,\"broker.example\",1883");
        opened = await(OPENED | OPEN_FAILED, 10000);
    }
    if (opened != OPENED) die("+QMTOPEN");
    events &= ~OVER;
    must("AT+QMTCONN=0,\"terminal\",\"\",\"\"");
    if (await(CONNECTED | OVER, 10000) != CONNECTED) die("+QMTCONN");
    must("AT+QMTSUB=0,0,\"terminal/down\",0");
    if (!command("AT+QMTPUBEX=0,0,0,0,\"terminal/down\",16", "{\"type\":\"hello\"}", 1000)) die("AT+QMTPUBEX");
    if (!await(MESSAGE, 10000)) die("+QMTRECV");
    if (strcmp(topic, "\"terminal/down\"") != 0 || strcmp(text, "{\"type\":\"hello\"}") != 0) die("the message");
    must("AT+QMTUNS=0,0,\"terminal/down\"");
    must("AT+QMTDISC=0");
    if (!await(OVER, 10000)) die("+QMTDISC");
    puts("ec801e_events: passed");
    return 0;
}

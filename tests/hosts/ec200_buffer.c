/* A telemetry unit with an EC200 or EC20, as many STM32 programs are written: one buffer, cleared before each command, and
 * strstr over all that came, with the very bytes between OK and result and of the prompt. Usage: ec200_buffer PORT */
#include "serial_port.h"

static int port;
static char received[8192];
static size_t filled;

/* Whether these bytes come in time. */
static int comes(const char *wanted, const char *otherwise, long ms) {
    long end = clock_ms() + ms;
    for (;;) {
        received[filled] = 0;
        if (strstr(received, wanted)) return 1;
        if (otherwise && strstr(received, otherwise)) return 0;
        long left = end - clock_ms();
        if (left <= 0) return 0;
        filled += port_read(port, received + filled, sizeof received - 1 - filled, (int)left);
    }
}

static int sent(const char *command, const char *wanted, long ms) {
    filled = 0;
    port_write(port, command, strlen(command));
    return comes(wanted, "ERROR\r\n", ms);
}

static void must(const char *command, const char *wanted, long ms) {
    if (!sent(command, wanted, ms)) {
        fprintf(stderr, "%s: no \"%s\" in \"%s\"\n", command, wanted, received);
        exit(1);
    }
}

static void publish(const char *command, const char *payload, const char *behind, const char *result) {
    must(command, "\r\n> ", 5000);
    sleep_ms(100);
    filled = 0;
    port_write(port, payload, strlen(payload));
    port_write(port, behind, strlen(behind));
    if (!comes(result, "ERROR\r\n", 15000)) {
        fprintf(stderr, "%s: no \"%s\" in \"%s\"\n", command, result, received);
        exit(1);
    }
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    port = port_open(argv[1]);
    for (int attempt = 0; !sent("AT\r\n", "OK\r\n", 500); attempt++) {
        if (attempt == 20) return 1;
    }
    must("ATE0\r\n", "OK\r\n", 1000);
    must("AT+CPIN?\r\n", "+CPIN: READY\r\n", 5000);
    must("AT+CSQ\r\n", "+CSQ: ", 1000);
    must("AT+CREG?\r\n", "+CREG: 0,1", 5000);
    must("AT+CGATT?\r\n", "+CGATT: 1", 1000);
    must("AT+QICSGP=1,1,\"internet\",\"\",\"\",0\r\n", "OK\r\n", 1000);
    (void)sent("AT+QIACT=1\r\n", "OK\r\n", 5000); /* active already: ERROR, and no harm */
    must("AT+QIACT?\r\n", "+QIACT: 1,1,1,\"", 1000);
    must("AT+QENG=\"servingcell\"\r\n", "+QENG: \"servingcell\"", 1000);
    (void)sent("AT+QMTDISC=1\r\n", "OK\r\n", 500); /* a session of before the reset, or none */
    sleep_ms(300);
    (void)sent("AT+QMTCLOSE=1\r\n", "OK\r\n", 500);
    sleep_ms(300);
    must("AT+QMTCFG=\"version\",1,4\r\n", "\r\nOK\r\n", 1000);
    must("AT+QMTCFG=\"recv/mode\",1,0,1\r\n", "\r\nOK\r\n", 1000);
    must("AT+QMTCFG=\"SSL\",1,0\r\n", "\r\nOK\r\n", 1000);
    must("AT+QMTOPEN=1,\"broker.example\",1883\r\n", "OK\r\n\r\n+QMTOPEN: 1,0", 75000);
    must("AT+QMTCONN=1,\"unit\",\"user\",\"password\"\r\n", "OK\r\n\r\n+QMTCONN: 1,0,0", 15000);
    must("AT+QMTSUB=1,1,\"unit/command\",1\r\n", "OK\r\n\r\n+QMTSUB: 1,1,0", 15000);
    publish("AT+QMTPUBEX=1,0,0,0,\"unit/data\",9\r\n", "{\"t\":215}", "\r\n", "OK\r\n\r\n+QMTPUBEX: 1,0,0");
    publish("AT+QMTPUBEX=1,2,1,0,\"unit/command\",11\r\n", "{\"on\":true}", "\x1a", "+QMTPUBEX: 1,2,0");
    if (!comes("+QMTRECV: 1,", NULL, 15000) || !comes("\"unit/command\",11,\"{\"on\":true}\"\r\n", NULL, 1000)) {
        fprintf(stderr, "no message in \"%s\"\n", received);
        return 1;
    }
    must("AT+QMTUNS=1,3,\"unit/command\"\r\n", "OK\r\n\r\n+QMTUNS: 1,3,0", 15000);
    must("AT+QMTDISC=1\r\n", "+QMTDISC: 1,0", 5000);
    puts("ec200_buffer: passed");
    return 0;
}

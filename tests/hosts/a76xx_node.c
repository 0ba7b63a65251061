/* A farm node with an A76xx, as STM32 programs are written: what came is searched again every 100 ms in one buffer, errors of
 * taking down are passed over, topics and payloads are typed with CR LF behind them. Usage: a76xx_node PORT */
#include "serial_port.h"

static int port;
static char received[8192];
static size_t filled;

static int comes(const char *wanted, int ms) {
    for (int waited = 0;; waited += 100) {
        while (port_read(port, received + filled, 1, 0)) filled += filled < sizeof received - 2;
        received[filled] = 0;
        if (strstr(received, wanted)) return 1;
        if (waited >= ms) return 0;
        sleep_ms(100);
    }
}

static void written(const char *line) {
    filled = 0;
    port_write(port, line, strlen(line));
    port_write(port, "\r\n", 2);
}

static void must(const char *line, const char *wanted, int ms) {
    written(line);
    if (!comes(wanted, ms)) {
        fprintf(stderr, "%s: no \"%s\" in \"%s\"\n", line, wanted, received);
        exit(1);
    }
}

/* A command that asks for this text; then OK, and a result if it has one. */
static void typed(const char *command, const char *text, const char *result) {
    char line[64];
    snprintf(line, sizeof line, command, (int)strlen(text));
    must(line, ">", 5000);
    written(text);
    if (!comes("OK", 5000) || (result && !comes(result, 15000))) {
        fprintf(stderr, "%s: no OK or \"%s\" in \"%s\"\n", line, result ? result : "", received);
        exit(1);
    }
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    port = port_open(argv[1]);
    for (int attempt = 0;; attempt++) {
        written("AT");
        if (comes("OK", 500)) break;
        if (attempt == 20) return 1;
    }
    must("ATE0", "OK", 1000);
    must("AT+CMEE=2", "OK", 1000);
    must("AT+CPIN?", "+CPIN: READY", 5000);
    must("AT+CSQ", "+CSQ: ", 1000);
    must("AT+CEREG?", "+CEREG: 0,1", 5000);
    must("AT+CGDCONT=1,\"IP\",\"internet\"", "OK", 1000);
    must("AT+CGACT=1,1", "OK", 5000);
    const char *before[] = {"AT+CMQTTDISC=0,120", "AT+CMQTTREL=0", "AT+CMQTTSTOP"};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        written(before[i]); /* what an earlier run left: OK or ERROR, it does not matter */
        (void)(comes("OK", 300) || comes("ERROR", 300));
    }
    must("AT+CMQTTSTART", "+CMQTTSTART: 0", 12000);
    must("AT+CMQTTACCQ=0,\"node\",0", "OK", 2000);
    must("AT+CMQTTCONNECT=0,\"tcp://broker.example:1883\",60,1,\"user\",\"password\"", "+CMQTTCONNECT: 0,0", 15000);
    typed("AT+CMQTTSUB=0,%d,1", "node/valve", "+CMQTTSUB");
    typed("AT+CMQTTTOPIC=0,%d", "node/valve", NULL);
    typed("AT+CMQTTPAYLOAD=0,%d", "{\"open\":3}", NULL);
    must("AT+CMQTTPUB=0,1,60", "+CMQTTPUB: 0,0", 15000);
    if (!comes("+CMQTTRXEND: 0", 15000) || !strstr(received, "+CMQTTRXSTART: 0,10,10") ||
        !strstr(received, "+CMQTTRXTOPIC: 0,10\r\nnode/valve\r\n") ||
        !strstr(received, "+CMQTTRXPAYLOAD: 0,10\r\n{\"open\":3}\r\n")) {
        fprintf(stderr, "no message in \"%s\"\n", received);
        return 1;
    }
    typed("AT+CMQTTUNSUB=0,%d,0", "node/valve", "+CMQTTUNSUB: 0,0");
    must("AT+CMQTTDISC=0,60", "+CMQTTDISC: 0,0", 15000);
    must("AT+CMQTTREL=0", "OK", 2000);
    must("AT+CMQTTSTOP", "+CMQTTSTOP: 0", 12000);
    puts("a76xx_node: passed");
    return 0;
}

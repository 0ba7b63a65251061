// A sensor node with a BC20, as Arduino sketches for NB-IoT boards are written: println, delay, readString, trim, endsWith. A
// result must be the last thing that came. Messages go inline, or behind a prompt with Ctrl-Z; a topic may lack its quotation
// marks. Usage: bc20_delays PORT
#include <string>

#include "serial_port.h"

namespace {

int port;

void println(const std::string &line) { port_write(port, (line + "\r\n").c_str(), line.size() + 2); }

std::string read_string() {
    std::string text;
    char bytes[256];
    while (size_t count = port_read(port, bytes, sizeof bytes, 0)) text.append(bytes, count);
    return text;
}

std::string trimmed(std::string text) {
    const char *blanks = " \r\n\t";
    size_t first = text.find_first_not_of(blanks);
    if (first == std::string::npos) return "";
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool ends_with(const std::string &text, const std::string &end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// What has come is looked at in a fixed rhythm, until it ends as it should or the patience is over.
void until(const std::string &line, const std::string &wanted, int rounds) {
    std::string data;
    for (int round = 0; round < rounds; round++) {
        sleep_ms(300);
        data += read_string();
        if (ends_with(trimmed(data), wanted)) return;
    }
    fprintf(stderr, "%s: \"%s\" does not end with \"%s\"\n", line.c_str(), data.c_str(), wanted.c_str());
    exit(1);
}

void must(const std::string &line, const std::string &wanted) {
    println(line);
    until(line, wanted, 40);
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    port = port_open(argv[1]);
    std::string awake;
    for (int attempt = 0; attempt < 20 && !ends_with(trimmed(awake), "OK"); attempt++) {
        println("AT");
        sleep_ms(300);
        awake = read_string();
    }
    must("ATE0", "OK");
    must("AT+CGSN=1", "OK");
    must("AT+CEREG?", "+CEREG: 0,1\r\n\r\nOK");
    must("AT+CGATT?", "+CGATT: 1\r\n\r\nOK");
    must("AT+QSCLK=0", "OK");
    must("AT+CPSMS=0", "OK");
    println("AT+QMTCLOSE=0"); // a connection of before the reset, or none: whatever it says
    sleep_ms(1000);
    read_string();
    must("AT+QMTCFG=\"version\",0,4", "OK");
    must("AT+QMTOPEN=0,\"broker.example\",1883", "+QMTOPEN: 0,0");
    must("AT+QMTCONN=0,\"node\",\"user\",\"password\"", "+QMTCONN: 0,0,0");
    must("AT+QMTSUB=0,1,\"node/set\",0", "+QMTSUB: 0,1,0,0");
    must("AT+QMTPUB=0,0,0,0,\"node/data\",\"temp=21.5\"", "+QMTPUB: 0,0,0");
    println("AT+QMTPUB=0,2,1,0,node/set");
    until("AT+QMTPUB=0,2,1,0,node/set", ">", 40);
    port_write(port, "{\"relay\":1}\x1a", 12);
    std::string data;
    for (int round = 0; round < 40; round++) {
        sleep_ms(300);
        data += read_string();
        bool published = data.find("+QMTPUB: 0,2,0") != std::string::npos;
        bool received = data.find("+QMTRECV: 0,0,\"node/set\",\"{\"relay\":1}\"") != std::string::npos;
        if (published && received) break;
        if (round == 39) {
            fprintf(stderr, "publish: \"%s\"\n", data.c_str());
            return 1;
        }
    }
    must("AT+QMTUNS=0,3,\"node/set\"", "+QMTUNS: 0,3,0");
    must("AT+QMTDISC=0", "+QMTDISC: 0,0");
    puts("bc20_delays: passed");
    return 0;
}

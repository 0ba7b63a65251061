// A sketch with an EC200U, as Arduino libraries are written: println, then everything up to a pause, then indexOf. What
// belongs to a command must come in one go. Messages end with Ctrl-Z. Usage: ec200u_sketch PORT
#include <cstdint>
#include <string>

#include "serial_port.h"

namespace {

class Modem {
  public:
    explicit Modem(const char *path) : port_(port_open(path)) {}

    bool begin() {
        for (int attempt = 0; attempt < 20; attempt++) {
            println("AT");
            if (has(read_response(500), "OK")) return command("ATE0");
        }
        return false;
    }

    bool command(const std::string &line, const std::string &expected = "OK", uint32_t ms = 1000) {
        println(line);
        last = read_response(ms);
        return !has(last, "ERROR") && has(last, expected);
    }

    bool publish(const std::string &topic, const std::string &message) {
        if (!command("AT+QMTPUB=0,0,0,0,\"" + topic + "\"", ">", 2000)) return false;
        port_write(port_, message.data(), message.size());
        port_write(port_, "\x1a", 1);
        last = read_response(5000);
        return has(last, "OK");
    }

    // All that comes until the line has been still for a while.
    std::string read_response(uint32_t ms) {
        const long pause = 250;
        std::string response;
        long start = clock_ms();
        long last_byte = start;
        while (clock_ms() - start < static_cast<long>(ms)) {
            char bytes[256];
            size_t count = port_read(port_, bytes, sizeof bytes, 10);
            if (count > 0) {
                response.append(bytes, count);
                last_byte = clock_ms();
            } else if (!response.empty() && clock_ms() - last_byte > pause) {
                break;
            }
        }
        return response;
    }

    static bool has(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

    std::string last;

  private:
    void println(const std::string &line) { port_write(port_, (line + "\r\n").c_str(), line.size() + 2); }

    int port_;
};

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    Modem modem(argv[1]);
    auto step = [&](const char *what, bool well) {
        if (!well) {
            fprintf(stderr, "%s: got \"%s\"\n", what, modem.last.c_str());
            exit(1);
        }
    };
    step("begin", modem.begin());
    step("SIM", modem.command("AT+CPIN?", "READY"));
    step("network", modem.command("AT+CEREG?", "+CEREG: 0,1"));
    step("attach", modem.command("AT+CGATT=1"));
    step("context", modem.command("AT+CGDCONT=1,\"IP\",\"internet\""));
    step("APN", modem.command("AT+QICSGP=1,1,\"internet\",\"\",\"\",0"));
    step("saving power", modem.command("AT+CPSMS=0"));
    modem.command("AT+QMTCFG=\"recv/mode\",0,0,1"); // old firmware says ERROR
    step("open", modem.command("AT+QMTOPEN=0,\"broker.example\",1883", "+QMTOPEN: 0,0", 15000));
    step("connect", modem.command("AT+QMTCONN=0,\"sketch\"", "+QMTCONN: 0,0", 10000));
    step("subscribe", modem.command("AT+QMTSUB=0,1,\"sketch/topic\",0", "+QMTSUB: 0,1,0", 5000));
    step("publish", modem.publish("sketch/topic", "Hello from the sketch"));
    if (!Modem::has(modem.last, "+QMTRECV:")) modem.last += modem.read_response(10000);
    step("receive", Modem::has(modem.last, "+QMTRECV: 0,0,\"sketch/topic\",21,\"Hello from the sketch\""));
    step("unsubscribe", modem.command("AT+QMTUNS=0,2,\"sketch/topic\"", "+QMTUNS: 0,2,0", 5000));
    step("disconnect", modem.command("AT+QMTDISC=0", "+QMTDISC: 0,0", 5000));
    puts("ec200u_sketch: passed");
    return 0;
}

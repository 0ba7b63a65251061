// A shield with a SIM7600, as Arduino libraries for it are written: byte by byte until the text ends with one of those awaited.
// The result of the service comes before OK, topics are staged, messages have blank lines between their parts.
// Usage: sim7600_shield PORT
#include <initializer_list>
#include <string>

#include "serial_port.h"

namespace {

class Shield {
  public:
    explicit Shield(const char *path) : port_(port_open(path)) {}

    // Which of these the text ended with first; -1 when the time is over.
    int wait(std::initializer_list<const char *> ends, long ms) {
        text.clear();
        long end = clock_ms() + ms;
        for (;;) {
            char byte;
            if (port_read(port_, &byte, 1, 5) == 1) {
                text += byte;
                int index = 0;
                for (const char *each : ends) {
                    std::string wanted(each);
                    if (text.size() >= wanted.size() && text.compare(text.size() - wanted.size(), wanted.size(), wanted) == 0)
                        return index;
                    index++;
                }
            } else if (clock_ms() > end) {
                return -1;
            }
        }
    }

    void send(const std::string &command) { port_write(port_, ("AT" + command + "\r\n").c_str(), command.size() + 4); }

    bool ok(const std::string &command, long ms = 1000) {
        send(command);
        return wait({"OK\r\n", "ERROR\r\n"}, ms) == 0;
    }

    // A line that begins so, and what stands behind it up to its end.
    bool says(const char *prefix, std::string &rest, long ms) {
        if (wait({prefix}, ms) != 0 || wait({"\n"}, ms) != 0) return false;
        rest = text.substr(0, text.find_last_not_of("\r\n") + 1);
        return true;
    }

    bool answers(const std::string &command, const char *prefix, const std::string &expected, long ms) {
        std::string rest;
        send(command);
        return says(prefix, rest, ms) && rest == expected;
    }

    // The text that a command asks for.
    bool typed(const std::string &command, const std::string &data) {
        send(command);
        if (wait({">", "ERROR\r\n"}, 5000) != 0) return false;
        port_write(port_, data.c_str(), data.size());
        return wait({"OK\r\n", "ERROR\r\n"}, 5000) == 0;
    }

    std::string exactly(size_t count, long ms) {
        std::string bytes;
        long end = clock_ms() + ms;
        while (bytes.size() < count && clock_ms() < end) {
            char byte;
            if (port_read(port_, &byte, 1, 5) == 1) bytes += byte;
        }
        return bytes;
    }

    std::string text;

  private:
    int port_;
};

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    Shield shield(argv[1]);
    auto step = [&](const char *what, bool well) {
        if (!well) {
            fprintf(stderr, "%s: got \"%s\"\n", what, shield.text.c_str());
            exit(1);
        }
    };
    bool awake = false;
    for (int attempt = 0; attempt < 20 && !awake; attempt++) awake = shield.ok("", 500);
    step("AT", awake);
    step("echo", shield.ok("E0"));
    step("SIM", shield.answers("+CPIN?", "+CPIN: ", "READY", 5000));
    step("SIM", shield.wait({"OK\r\n"}, 1000) == 0);
    step("network", shield.ok("+CREG?"));
    // OK stands behind the result: both are read, in that order.
    step("start", shield.answers("+CMQTTSTART", "+CMQTTSTART: ", "0", 30000));
    step("start", shield.wait({"OK\r\n"}, 1000) == 0);
    step("client", shield.ok("+CMQTTACCQ=0,\"shield\",0,4"));
    step("connect", shield.ok("+CMQTTCONNECT=0,\"tcp://broker.example:1883\",60,1", 30000));
    std::string rest;
    step("connect", shield.says("+CMQTTCONNECT: ", rest, 30000) && rest == "0,0");
    step("connected?", shield.answers("+CMQTTDISC?", "+CMQTTDISC: ", "0,0", 1000));
    step("connected?", shield.wait({"OK\r\n"}, 1000) == 0);
    step("subscribe", shield.typed("+CMQTTSUBTOPIC=0,10,1", "shield/led"));
    step("subscribe", shield.ok("+CMQTTSUB=0"));
    step("subscribe", shield.says("+CMQTTSUB: ", rest, 30000) && rest == "0,0");
    step("topic", shield.typed("+CMQTTTOPIC=0,10", "shield/led"));
    step("payload", shield.typed("+CMQTTPAYLOAD=0,12", "{\"state\":on}"));
    step("publish", shield.ok("+CMQTTPUB=0,1,60"));
    // The result and the message come in either order; the message is read by its lengths.
    bool published = false;
    int topic_length = 0;
    int payload_length = 0;
    std::string topic;
    std::string payload;
    bool ended = false;
    long end = clock_ms() + 30000;
    while (!(published && ended) && clock_ms() < end) {
        switch (shield.wait({"+CMQTTPUB: 0,0\r\n", "+CMQTTRXTOPIC: 0,", "+CMQTTRXPAYLOAD: 0,", "+CMQTTRXEND: 0\r\n"}, 30000)) {
        case 0:
            published = true;
            break;
        case 1:
            step("topic", shield.wait({"\n"}, 5000) == 0);
            topic_length = atoi(shield.text.c_str());
            topic = shield.exactly(static_cast<size_t>(topic_length), 5000);
            break;
        case 2:
            step("payload", shield.wait({"\n"}, 5000) == 0);
            payload_length = atoi(shield.text.c_str());
            payload += shield.exactly(static_cast<size_t>(payload_length), 5000);
            break;
        case 3:
            ended = true;
            break;
        default:
            step("publish", false);
        }
    }
    if (topic != "shield/led" || payload != "{\"state\":on}") {
        fprintf(stderr, "the message: \"%s\" \"%s\"\n", topic.c_str(), payload.c_str());
        return 1;
    }
    step("unsubscribe", shield.typed("+CMQTTUNSUBTOPIC=0,10", "shield/led"));
    step("unsubscribe", shield.ok("+CMQTTUNSUB=0,0"));
    step("unsubscribe", shield.says("+CMQTTUNSUB: ", rest, 30000) && rest == "0,0");
    step("disconnect", shield.answers("+CMQTTDISC=0,120", "+CMQTTDISC: ", "0,0", 30000));
    step("disconnect", shield.wait({"OK\r\n"}, 1000) == 0);
    step("release", shield.ok("+CMQTTREL=0"));
    step("stop", shield.answers("+CMQTTSTOP", "+CMQTTSTOP: ", "0", 30000));
    puts("sim7600_shield: passed");
    return 0;
}

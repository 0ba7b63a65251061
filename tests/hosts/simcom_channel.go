// A collector with a SIMCom module, as Go programs with serial devices are written: a goroutine sends pieces between line ends
// down a channel, each step takes what it needs from it within a time. OK and results come in either order.
// Usage: simcom_channel PORT
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

var (
	port  *os.File
	lines = make(chan string, 100)
)

func fail(step string, got []string) {
	fmt.Fprintf(os.Stderr, "%s: not as expected: %q\n", step, got)
	os.Exit(1)
}

func read() {
	kept := ""
	buffer := make([]byte, 256)
	for {
		count, err := port.Read(buffer)
		if err != nil {
			close(lines)
			return
		}
		kept += string(buffer[:count])
		for {
			end := strings.IndexByte(kept, '\n')
			if end < 0 {
				break
			}
			if line := strings.TrimSpace(kept[:end]); line != "" {
				lines <- line
			}
			kept = kept[end+1:]
		}
		if strings.TrimSpace(kept) == ">" {
			lines <- ">"
			kept = ""
		}
	}
}

// await gives the lines until all of the wanted beginnings have been seen.
func await(step string, within time.Duration, wanted ...string) []string {
	deadline := time.After(within)
	var came []string
	for len(wanted) > 0 {
		select {
		case line, ok := <-lines:
			if !ok {
				fail(step, []string{"the port is gone"})
			}
			came = append(came, line)
			for i, each := range wanted {
				if strings.HasPrefix(line, each) {
					wanted = append(wanted[:i:i], wanted[i+1:]...)
					break
				}
			}
			if strings.HasPrefix(line, "ERROR") || strings.HasPrefix(line, "+CME ERROR") {
				fail(step, came)
			}
		case <-deadline:
			fail(step, came)
		}
	}
	return came
}

func command(line string, wanted ...string) []string {
	fmt.Fprintf(port, "%s\r", line)
	return await(line, 30*time.Second, append([]string{"OK"}, wanted...)...)
}

func typed(line, text string, wanted ...string) {
	fmt.Fprintf(port, "%s\r", line)
	await(line, 5*time.Second, ">")
	port.WriteString(text)
	await(line, 30*time.Second, append([]string{"OK"}, wanted...)...)
}

func main() {
	if len(os.Args) != 2 {
		os.Exit(2)
	}
	// The standard library has no serial lines; stty sets the port up.
	if out, err := exec.Command("stty", "-F", os.Args[1], "raw", "-echo", "115200").CombinedOutput(); err != nil {
		fail("stty", []string{string(out)})
	}
	var err error
	if port, err = os.OpenFile(os.Args[1], os.O_RDWR, 0); err != nil {
		fail("open", []string{err.Error()})
	}
	go read()
	command("ATE0")
	command("AT+CPIN?", "+CPIN: READY")
	command("AT+CMQTTSTART", "+CMQTTSTART: 0")
	command("AT+CMQTTACCQ=0,\"collector\"")
	command("AT+CMQTTCONNECT=0,\"tcp://broker.example:1883\",60,1", "+CMQTTCONNECT: 0,0")
	typed("AT+CMQTTSUB=0,15,2", "collector/query", "+CMQTTSUB")
	typed("AT+CMQTTTOPIC=0,15", "collector/query")
	typed("AT+CMQTTPAYLOAD=0,8", "all of 7")
	came := command("AT+CMQTTPUB=0,2,60", "+CMQTTPUB: 0,0", "+CMQTTRXEND: 0")
	if all := strings.Join(came, "|"); !strings.Contains(all, "+CMQTTRXTOPIC: 0,15|collector/query|+CMQTTRXPAYLOAD: 0,8|all of 7") {
		fail("the message", came)
	}
	typed("AT+CMQTTUNSUB=0,15,0", "collector/query", "+CMQTTUNSUB: 0,0")
	command("AT+CMQTTDISC=0,60", "+CMQTTDISC: 0,0")
	command("AT+CMQTTREL=0")
	command("AT+CMQTTSTOP", "+CMQTTSTOP: 0")
	fmt.Println("simcom_channel: passed")
}

// A tracker's gateway with a BG95, as Go programs for AT modules are written: one goroutine reads lines, commands wait for OK
// and throw away what comes in the next 100 ms, and only then wait for a result. It publishes inline, with raw quotation marks,
// reads stored messages by their slots, and unsubscribes without quotation marks. Usage: bg95_reader PORT
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

type modem struct {
	port  *os.File
	lines chan string
}

func open(path string) *modem {
	// The standard library has no serial lines; stty sets the port up.
	raw := exec.Command("stty", "-F", path, "raw", "-echo", "115200")
	if out, err := raw.CombinedOutput(); err != nil {
		fail("stty", string(out))
	}
	port, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		fail("open", err.Error())
	}
	m := &modem{port, make(chan string, 100)}
	go func() {
		scanner := bufio.NewScanner(port)
		for scanner.Scan() {
			if line := strings.TrimSpace(scanner.Text()); line != "" {
				m.lines <- line
			}
		}
		close(m.lines)
	}()
	return m
}

func fail(step, got string) {
	fmt.Fprintf(os.Stderr, "%s: not as expected: %q\n", step, got)
	os.Exit(1)
}

// command waits for the final result, whole line by whole line; the lines in front of it are the answer.
func (m *modem) command(line string, within time.Duration) ([]string, bool) {
	fmt.Fprintf(m.port, "AT%s\r", line)
	deadline := time.After(within)
	var answer []string
	for {
		select {
		case got, ok := <-m.lines:
			switch {
			case !ok:
				fail(line, "the port is gone")
			case got == "OK":
				return answer, true
			case got == "ERROR" || strings.HasPrefix(got, "+CME ERROR:"):
				return append(answer, got), false
			default:
				answer = append(answer, got)
			}
		case <-deadline:
			return answer, false
		}
	}
}

func (m *modem) must(line string) []string {
	answer, done := m.command(line, 5*time.Second)
	if !done {
		fail(line, strings.Join(answer, "|"))
	}
	return answer
}

// drain is what makes this host need a module that takes its time: a result in here is lost.
func (m *modem) drain() {
	still := time.After(100 * time.Millisecond)
	for {
		select {
		case <-m.lines:
		case <-still:
			return
		}
	}
}

func (m *modem) await(prefix string, within time.Duration) string {
	deadline := time.After(within)
	for {
		select {
		case got := <-m.lines:
			if strings.HasPrefix(got, prefix) {
				return got
			}
		case <-deadline:
			fail(prefix, "nothing")
		}
	}
}

func (m *modem) request(line, result string) {
	m.must(line)
	m.drain()
	prefix := result[:strings.Index(result, " ")]
	if got := m.await(prefix, 30*time.Second); got != result {
		fail(line, got)
	}
}

func main() {
	if len(os.Args) != 2 {
		os.Exit(2)
	}
	m := open(os.Args[1])
	for attempt := 0; ; attempt++ {
		if _, done := m.command("E0", 500*time.Millisecond); done {
			break
		}
		if attempt == 20 {
			fail("ATE0", "nothing")
		}
	}
	m.must("+CMEE=2")
	if answer := m.must("+CGMM"); len(answer) != 1 || !strings.HasPrefix(answer[0], "BG9") {
		fail("+CGMM", strings.Join(answer, "|"))
	}
	m.must("+QCFG=\"nwscanseq\",020301")
	m.must("+QCFG=\"iotopmode\",2,1")
	if answer := m.must("+QNWINFO"); len(answer) != 1 || !strings.HasPrefix(answer[0], "+QNWINFO: \"eMTC\"") {
		fail("+QNWINFO", strings.Join(answer, "|"))
	}
	m.must("+CGDCONT=1,\"IP\",\"iot\"")
	m.must("+CGATT=1")
	m.must("+QMTCFG=\"recv/mode\",0,1,1")
	m.must("+QMTCFG=\"version\",0,4")
	m.request("+QMTOPEN=0,\"broker.example\",1883", "+QMTOPEN: 0,0")
	m.request("+QMTCONN=0,\"tracker\"", "+QMTCONN: 0,0,0")
	m.request("+QMTSUB=0,1,\"tracker/7/set\",1", "+QMTSUB: 0,1,0,1")
	payload := `{"interval":60,"mode":"a, b"}`
	m.must("+QMTPUBEX=0,2,1,0,\"tracker/7/set\",\"" + payload + "\"")
	// The message may come before the result; both lines matter.
	result, slot := "", ""
	for result == "" || slot == "" {
		switch got := m.await("+QMT", 30*time.Second); {
		case strings.HasPrefix(got, "+QMTPUB: "):
			result = got
		case strings.HasPrefix(got, "+QMTRECV: 0,"):
			slot = strings.TrimPrefix(got, "+QMTRECV: 0,")
		default:
			fail("publish", got)
		}
	}
	if result != "+QMTPUB: 0,2,0" {
		fail("publish", result)
	}
	if answer := m.must("+QMTRECV?"); len(answer) == 0 || !strings.HasPrefix(answer[0], "+QMTRECV: 0,1,0,0,0,0") {
		fail("+QMTRECV?", strings.Join(answer, "|"))
	}
	answer := m.must("+QMTRECV=0," + slot)
	stored := fmt.Sprintf("\"tracker/7/set\",%d,\"%s\"", len(payload), payload)
	if len(answer) != 1 || !strings.HasSuffix(answer[0], stored) {
		fail("+QMTRECV", strings.Join(answer, "|"))
	}
	m.request("+QMTUNS=0,3,tracker/7/set", "+QMTUNS: 0,3,0")
	m.request("+QMTDISC=0", "+QMTDISC: 0,0")
	fmt.Println("bg95_reader: passed")
}

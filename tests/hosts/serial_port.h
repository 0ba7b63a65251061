/* A serial port as a microcontroller's UART driver has it: raw bytes, a poll with a time, a clock. For the C and C++
 * programs beside it; what they make of the bytes is theirs. */
#ifndef SERIAL_PORT_H
#define SERIAL_PORT_H

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static inline long clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

static inline void sleep_ms(long ms) {
    struct timespec span = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&span, NULL);
}

static inline void port_speed(int port, speed_t speed) {
    struct termios line;
    tcgetattr(port, &line);
    cfsetispeed(&line, speed);
    cfsetospeed(&line, speed);
    tcsetattr(port, TCSANOW, &line);
}

static inline int port_open(const char *path) {
    int port = open(path, O_RDWR | O_NOCTTY);
    if (port < 0) {
        perror(path);
        exit(2);
    }
    struct termios line;
    tcgetattr(port, &line);
    cfmakeraw(&line);
    tcsetattr(port, TCSANOW, &line);
    port_speed(port, B115200);
    return port;
}

static inline void port_write(int port, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = write(port, bytes, count);
        if (sent < 0) {
            perror("write");
            exit(2);
        }
        bytes += sent;
        count -= (size_t)sent;
    }
}

/* Bytes that came within the time; 0 if none did. */
static inline size_t port_read(int port, char *into, size_t room, int ms) {
    struct pollfd line = {port, POLLIN, 0};
    if (poll(&line, 1, ms) <= 0) return 0;
    ssize_t count = read(port, into, room);
    if (count <= 0) {
        fprintf(stderr, "the port is gone\n");
        exit(2);
    }
    return (size_t)count;
}

#endif

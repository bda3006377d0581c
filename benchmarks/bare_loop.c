/*
 * The bare loop of the fan-out in C: opens connections to a port of this machine, and sends each
 * message to each of them with one send(2), as fast as the sockets take it or so many a second.
 *
 * bare_loop PORT COUNT FRAME-FILE
 *
 * The frame holds one #00000000#, which becomes the number of the message. Each line of the standard
 * input is "SECONDS RATE", with rate 0 for as fast as it goes; the answer is how many messages were
 * sent and, at a rate, when each was, in nanoseconds of the monotonic clock.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FRAME 65536
#define MAX_TIMES 1000000

static char frame[MAX_FRAME + 1];
static size_t frame_size;
static char *number;
static int *sockets;
static int socket_count;
static int64_t times[MAX_TIMES];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int open_socket(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int one = 1, sock = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof address) < 0)
		fail("connect");
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return sock;
}

static void read_frame(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		fail(path);
	frame_size = fread(frame, 1, MAX_FRAME, file);
	fclose(file);
	number = strstr(frame, "#00000000#");
	if (number == NULL) {
		fprintf(stderr, "the frame has no number\n");
		exit(1);
	}
}

static void send_message(int64_t message)
{
	char digits[16];
	snprintf(digits, sizeof digits, "#%08d#", (int)(message % 100000000));
	memcpy(number, digits, 10);
	for (int i = 0; i < socket_count; i++) {
		size_t sent = 0;
		while (sent < frame_size) {
			ssize_t size = send(sockets[i], frame + sent, frame_size - sent, MSG_NOSIGNAL);
			if (size < 0)
				fail("send");
			sent += size;
		}
	}
}

static int64_t talk(int64_t end)
{
	int64_t sent = 0;
	while (now() < end)
		send_message(sent++);
	return sent;
}

static int64_t talk_at(double rate, int64_t begin, int64_t end)
{
	int64_t sent = 0, time;
	while ((time = now()) < end) {
		if (sent < (time - begin) / 1e9 * rate && sent < MAX_TIMES) {
			times[sent] = time;
			send_message(sent++);
		} else {
			usleep(0.5e6 / rate);
		}
	}
	return sent;
}

int main(int argc, char **argv)
{
	double seconds, rate;
	if (argc != 4) {
		fprintf(stderr, "usage: bare_loop PORT COUNT FRAME-FILE\n");
		return 2;
	}
	read_frame(argv[3]);
	socket_count = atoi(argv[2]);
	sockets = calloc(socket_count, sizeof *sockets);
	for (int i = 0; i < socket_count; i++)
		sockets[i] = open_socket(atoi(argv[1]));
	printf("ready\n");
	fflush(stdout);
	while (scanf("%lf %lf", &seconds, &rate) == 2) {
		int64_t begin = now(), end = begin + (int64_t)(seconds * 1e9), sent;
		sent = rate > 0 ? talk_at(rate, begin, end) : talk(end);
		printf("%lld", (long long)sent);
		for (int64_t i = 0; rate > 0 && i < sent; i++)
			printf(" %lld", (long long)times[i]);
		printf("\n");
		fflush(stdout);
	}
	return 0;
}

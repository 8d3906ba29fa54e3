/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notified PATH: a supervisor as sd_notify(3) knows it. Listens at PATH, for everybody, and
 * prints each line that it is told, with the time (CLOCK_MONOTONIC) in seconds in front.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void print_lines(char *text)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		printf("%lld.%03ld %s\n", (long long)t.tv_sec, t.tv_nsec / 1000000, line);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char text[4096];
	ssize_t n;
	int fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(sa.sun_path)) {
		fprintf(stderr, "usage: notified PATH\n");
		return 2;
	}
	strcpy(sa.sun_path, argv[1]);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    chmod(sa.sun_path, 0666) < 0) {
		perror(argv[1]);
		return 1;
	}
	puts("listening");
	fflush(stdout);
	while ((n = recv(fd, text, sizeof(text) - 1, 0)) >= 0) {
		text[n] = '\0';
		print_lines(text);
	}
	return 1;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.c: messages arrive whole, in order and once, or the channel closes. */
#include "agent/base/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* One end of a channel, and what it was told. */
struct end {
	struct channel *channel;
	unsigned messages;
	uint16_t last_type;
	struct buf last_body;
	uint64_t expect; /* the next number, where bodies are numbers */
	int fd;
	char why[64];
	unsigned closed;
	bool refuse;	   /* find the body bad */
	bool free_at_once; /* from inside the callback */
};

struct world {
	struct loop *loop;
	struct end a, b;
	int raw; /* b's descriptor where no channel is on it */
};

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct end *e = arg;

	e->messages++;
	e->last_type = type;
	buf_reset(&e->last_body);
	buf_put(&e->last_body, body->data, body->left);
	if (fd >= 0)
		e->fd = fd;
	if (e->free_at_once) {
		channel_free(e->channel);
		e->channel = NULL;
	}
	return !e->refuse;
}

static void on_closed(void *arg, const char *why)
{
	struct end *e = arg;

	e->closed++;
	snprintf(e->why, sizeof(e->why), "%s", why);
	if (e->free_at_once) {
		channel_free(e->channel);
		e->channel = NULL;
	}
}

static void open_end(struct world *w, struct end *e, int fd)
{
	struct channel_handler h = { on_message, on_closed, e };

	e->fd = -1;
	assert_int_equal(channel_new(w->loop, fd, &h, &e->channel), 0);
}

/* Two channels, or with raw_end a channel and a bare socket. */
static struct world *make_world(bool raw_end)
{
	struct world *w = calloc(1, sizeof(*w));
	int fds[2];

	assert_int_equal(loop_new(&clock_system, &w->loop), 0);
	assert_int_equal(channel_pair(fds), 0);
	open_end(w, &w->a, fds[0]);
	w->raw = raw_end ? fds[1] : -1;
	if (!raw_end)
		open_end(w, &w->b, fds[1]);
	return w;
}

static int two_channels(void **state)
{
	*state = make_world(false);
	return 0;
}

static int one_channel(void **state)
{
	*state = make_world(true);
	return 0;
}

static int end_world(void **state)
{
	struct world *w = *state;

	channel_free(w->a.channel);
	channel_free(w->b.channel);
	if (w->raw >= 0)
		close(w->raw);
	loop_free(w->loop);
	buf_done(&w->a.last_body);
	buf_done(&w->b.last_body);
	free(w);
	return 0;
}

static void turns(struct world *w, unsigned n)
{
	while (n--)
		assert_int_equal(loop_turn(w->loop, 0), 0);
}

static void send_text(struct end *e, uint16_t type, const char *text)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_str(&b, text);
	channel_send(e->channel, type, &b);
}

static void messages_arrive_in_order(void **state)
{
	struct world *w = *state;

	send_text(&w->a, 1, "one");
	send_text(&w->a, 2, "two");
	channel_send(w->a.channel, 3, NULL);
	assert_true(channel_queued(w->a.channel) > 0);
	assert_int_equal(w->b.messages, 0);
	turns(w, 3);
	assert_int_equal(channel_queued(w->a.channel), 0);
	assert_int_equal(w->b.messages, 3);
	assert_int_equal(w->b.last_type, 3);
	assert_int_equal(w->b.last_body.len, 0);
	send_text(&w->b, 4, "back");
	turns(w, 3);
	assert_int_equal(w->a.messages, 1);
	assert_string_equal(buf_cstr(&w->a.last_body), "back");
}

static void many_small_messages_share_a_packet(void **state)
{
	struct world *w = *state;
	uint8_t packet[CHANNEL_PACKET_MAX + 1];

	for (int i = 0; i < 1000; i++)
		send_text(&w->a, 1, "x");
	turns(w, 1);
	assert_int_equal(recv(w->raw, packet, sizeof(packet), MSG_DONTWAIT), 9000);
	assert_int_equal(recv(w->raw, packet, sizeof(packet), MSG_DONTWAIT), -1);
}

static void a_secret_is_alone_in_its_packet(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_wipe) struct buf b = { 0 };
	uint8_t packet[100];

	wire_put_u32(&b, 4711);
	send_text(&w->a, 1, "x");
	channel_send_secret(w->a.channel, 2, &b);
	channel_send_secret(w->a.channel, 2, &b);
	send_text(&w->a, 3, "yy");
	turns(w, 1);
	assert_int_equal(recv(w->raw, packet, sizeof(packet), MSG_DONTWAIT), 9);
	assert_int_equal(recv(w->raw, packet, sizeof(packet), MSG_DONTWAIT), 12);
	assert_int_equal(recv(w->raw, packet, sizeof(packet), MSG_DONTWAIT), 12);
	assert_int_equal(recv(w->raw, packet, sizeof(packet), MSG_DONTWAIT), 10);
	assert_int_equal(recv(w->raw, packet, sizeof(packet), MSG_DONTWAIT), -1);
}

static void the_largest_body_goes_through(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_done) struct buf b = { 0 };

	memset(buf_add(&b, CHANNEL_BODY_MAX), 'x', CHANNEL_BODY_MAX);
	channel_send(w->a.channel, 7, &b);
	turns(w, 3);
	assert_int_equal(w->b.messages, 1);
	assert_int_equal(w->b.last_body.len, CHANNEL_BODY_MAX);
	assert_memory_equal(w->b.last_body.data, b.data, b.len);
}

/* Both ends send far more than a socket holds before either has read a byte. */
static bool check_number(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct end *e = arg;

	e->messages++;
	return type == 9 && fd < 0 && wire_u64(body) == e->expect++;
}

static void full_queues_do_not_block_each_other(void **state)
{
	enum { COUNT = 2000 };
	struct loop *loop;
	struct end ends[2] = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(loop_new(&clock_system, &loop), 0);
	assert_int_equal(channel_pair(fds), 0);
	for (int i = 0; i < 2; i++) {
		struct channel_handler h = { check_number, on_closed, &ends[i] };

		assert_int_equal(channel_new(loop, fds[i], &h, &ends[i].channel), 0);
	}
	for (uint64_t n = 0; n < COUNT; n++) {
		CLEANUP(buf_done) struct buf b = { 0 };

		wire_put_u64(&b, n);
		memset(buf_add(&b, 2000), 'x', 2000);
		channel_send(ends[0].channel, 9, &b);
		channel_send(ends[1].channel, 9, &b);
	}
	for (int i = 0; i < 10000 && ends[0].messages + ends[1].messages < 2 * COUNT; i++)
		assert_int_equal(loop_turn(loop, 0), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ends[i].messages, COUNT);
		assert_int_equal(ends[i].closed, 0);
		assert_int_equal(channel_queued(ends[i].channel), 0);
		channel_free(ends[i].channel);
	}
	loop_free(loop);
}

static void a_descriptor_comes_with_its_message(void **state)
{
	struct world *w = *state;
	int pipes[2];
	char c;

	assert_int_equal(pipe(pipes), 0);
	send_text(&w->a, 1, "before");
	channel_send_fd(w->a.channel, 2, NULL, pipes[0]);
	send_text(&w->a, 3, "after");
	turns(w, 1);
	assert_int_equal(fcntl(pipes[0], F_GETFD), -1); /* taken over */
	turns(w, 2);
	assert_int_equal(w->b.messages, 3);
	assert_true(w->b.fd >= 0);
	assert_int_equal(fcntl(w->b.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(write(pipes[1], "y", 1), 1);
	assert_int_equal(read(w->b.fd, &c, 1), 1);
	assert_int_equal(c, 'y');
	close(w->b.fd);
	close(pipes[1]);
}

static void a_descriptor_for_a_closed_channel_is_closed(void **state)
{
	struct world *w = *state;
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	close(w->raw);
	w->raw = -1;
	turns(w, 2);
	assert_string_equal(w->a.why, "peer closed");
	channel_send_fd(w->a.channel, 1, NULL, pipes[0]);
	assert_int_equal(fcntl(pipes[0], F_GETFD), -1);
	send_text(&w->a, 1, "nobody there");
	assert_int_equal(channel_queued(w->a.channel), 0);
	turns(w, 2);
	assert_int_equal(w->a.closed, 1);
	close(pipes[1]);
}

static void a_queued_descriptor_is_closed_with_its_channel(void **state)
{
	struct world *w = *state;
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	channel_send_fd(w->a.channel, 1, NULL, pipes[0]);
	channel_free(w->a.channel);
	w->a.channel = NULL;
	assert_int_equal(fcntl(pipes[0], F_GETFD), -1);
	close(pipes[1]);
}

/* Sends a packet with n copies of a descriptor along. */
static void send_raw(int fd, const char *packet, size_t len, unsigned n, int copy)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)packet, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(n * sizeof(int));
		for (unsigned i = 0; i < n; i++)
			memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)) + i * sizeof(int), &copy, sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &m, 0), len);
}

static int lowest_free_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static void more_descriptors_than_agreed_close_the_channel(void **state)
{
	struct world *w = *state;
	int before = lowest_free_descriptor();

	for (unsigned n = 2; n <= 3; n++) {
		send_raw(w->raw, "\1\0\0\0\0\0\0", 8, n, STDERR_FILENO);
		turns(w, 2);
		assert_int_equal(w->a.messages, 0);
		assert_string_equal(w->a.why, "malformed packet");
		end_world(state);
		one_channel(state);
		w = *state;
		assert_true(lowest_free_descriptor() <= before);
	}
}

struct packet_case {
	const char *name;
	const char *bytes;
	size_t len;
	int want; /* of channel_split() */
	unsigned messages;
};

static const struct packet_case packets[] = {
	{ "one message", "\1\0\0\0\2\0\0\0ab", 10, 0, 1 },
	{ "two messages", "\1\0\0\0\2\0\0\0ab\2\0\0\0\0\0\0\0", 18, 0, 2 },
	{ "an empty body", "\1\0\0\0\0\0\0\0", 8, 0, 1 },
	{ "nothing", "", 0, -EBADMSG, 0 },
	{ "half a header", "\1\0\0\0", 4, -EBADMSG, 0 },
	{ "type 0", "\0\0\0\0\0\0\0\0", 8, -EBADMSG, 0 },
	{ "the zero is not zero", "\1\0\1\0\0\0\0\0", 8, -EBADMSG, 0 },
	{ "a body longer than the packet", "\1\0\0\0\3\0\0\0ab", 10, -EBADMSG, 0 },
	{ "a length that overflows", "\1\0\0\0\377\377\377\377ab", 10, -EBADMSG, 0 },
	{ "something left over", "\1\0\0\0\0\0\0\0x", 9, -EBADMSG, 1 },
};

static bool count_message(void *arg, uint16_t type, struct wire *body)
{
	(void)type;
	(void)body;
	++*(unsigned *)arg;
	return true;
}

static void packets_are_split_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(packets); i++) {
		const struct packet_case *c = &packets[i];
		unsigned messages = 0;

		if (channel_split(c->bytes, c->len, count_message, &messages) != c->want)
			fail_msg("%s", c->name);
		assert_int_equal(messages, c->messages);
	}
}

static void a_malformed_packet_closes_the_channel(void **state)
{
	struct world *w = *state;

	send_raw(w->raw, "\1\0\0\0\3\0\0\0ab", 10, 0, -1);
	turns(w, 2);
	assert_int_equal(w->a.messages, 0);
	assert_int_equal(w->a.closed, 1);
	assert_string_equal(w->a.why, "malformed packet");
}

static void a_packet_above_the_bound_closes_the_channel(void **state)
{
	static char large[CHANNEL_PACKET_MAX + 1] = "\1\0\0\0\131\352\0";
	struct world *w = *state;

	send_raw(w->raw, large, sizeof(large), 1, STDERR_FILENO);
	turns(w, 2);
	assert_int_equal(w->a.messages, 0);
	assert_string_equal(w->a.why, "malformed packet");
}

static void a_bad_body_closes_the_channel_and_names_its_type(void **state)
{
	struct world *w = *state;

	w->b.refuse = true;
	send_text(&w->a, 77, "one");
	send_text(&w->a, 78, "two");
	turns(w, 3);
	assert_int_equal(w->b.messages, 1);
	assert_string_equal(w->b.why, "malformed message type 77");
	assert_string_equal(w->a.why, "peer closed");
}

static void what_was_sent_before_closing_still_arrives(void **state)
{
	struct world *w = *state;

	send_text(&w->a, 1, "last words");
	turns(w, 1);
	channel_free(w->a.channel);
	w->a.channel = NULL;
	turns(w, 3);
	assert_int_equal(w->b.messages, 1);
	assert_string_equal(w->b.why, "peer closed");
}

static void a_channel_may_be_freed_by_its_own_message(void **state)
{
	struct world *w = *state;

	w->b.free_at_once = true;
	send_text(&w->a, 1, "one");
	send_text(&w->a, 2, "two");
	turns(w, 3);
	assert_null(w->b.channel);
	assert_int_equal(w->b.messages, 1);
	assert_int_equal(w->b.closed, 0);
	assert_string_equal(w->a.why, "peer closed");
}

static void a_channel_may_be_freed_when_it_closes(void **state)
{
	struct world *w = *state;

	w->a.free_at_once = true;
	send_text(&w->a, 1, "to nobody");
	close(w->raw);
	w->raw = -1;
	turns(w, 3);
	assert_null(w->a.channel);
	assert_int_equal(w->a.closed, 1);
}

int main(void)
{
#define TWO(test) cmocka_unit_test_setup_teardown(test, two_channels, end_world)
#define ONE(test) cmocka_unit_test_setup_teardown(test, one_channel, end_world)
	static const struct CMUnitTest tests[] = {
		TWO(messages_arrive_in_order),
		ONE(many_small_messages_share_a_packet),
		ONE(a_secret_is_alone_in_its_packet),
		TWO(the_largest_body_goes_through),
		cmocka_unit_test(full_queues_do_not_block_each_other),
		TWO(a_descriptor_comes_with_its_message),
		ONE(a_descriptor_for_a_closed_channel_is_closed),
		ONE(a_queued_descriptor_is_closed_with_its_channel),
		ONE(more_descriptors_than_agreed_close_the_channel),
		cmocka_unit_test(packets_are_split_strictly),
		ONE(a_malformed_packet_closes_the_channel),
		ONE(a_packet_above_the_bound_closes_the_channel),
		TWO(a_bad_body_closes_the_channel_and_names_its_type),
		TWO(what_was_sent_before_closing_still_arrives),
		TWO(a_channel_may_be_freed_by_its_own_message),
		ONE(a_channel_may_be_freed_when_it_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

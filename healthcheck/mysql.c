/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/mysql.h"

#include <string.h>

#define COM_QUIT      0x01
#define OK	      0x00
#define MORE_DATA     0x01
#define SWITCH	      0xfe
#define SHA2_FAST_OK  3
#define SHA2_FULL     4
#define RSA_LEN	      256
#define HEADER	      4
#define ROUNDS_MAX    8
#define CLIENT_PACKET (1u << 24)
#define COLLATION     45		/* utf8mb4_general_ci */
#define NOBODY	      "parasaus-no-tls" /* nobody's name, for the server's log to tell why */

static const struct {
	uint16_t code;
	uint8_t reason; /* enum hc_reason */
} errors[] = {
	/* Our address is locked out, or was never let in. */
	{ 1129, HC_REASON_BLOCKED },
	{ 1130, HC_REASON_BLOCKED },
	/* The account: wrong, locked, above its limits, or without a right. */
	{ 1044, HC_REASON_AUTH },
	{ 1045, HC_REASON_AUTH },
	{ 1142, HC_REASON_AUTH },
	{ 1203, HC_REASON_AUTH },
	{ 1226, HC_REASON_AUTH },
	{ 1227, HC_REASON_AUTH },
	{ 1251, HC_REASON_AUTH },
	{ 1275, HC_REASON_AUTH },
	{ 1524, HC_REASON_AUTH },
	{ 1698, HC_REASON_AUTH },
	{ 1820, HC_REASON_AUTH },
	{ 1862, HC_REASON_AUTH },
	{ 3118, HC_REASON_AUTH }, /* MySQL: locked */
	{ 3159, HC_REASON_AUTH }, /* MySQL: only inside TLS */
	{ 3955, HC_REASON_AUTH }, /* MySQL: locked for wrong passwords */
	{ 4151, HC_REASON_AUTH }, /* MariaDB: locked */
	{ 1040, HC_REASON_SATURATED },
	{ 1047, HC_REASON_NOT_READY },
	{ 3032, HC_REASON_NOT_READY }, /* MySQL: offline mode */
	{ 1053, HC_REASON_SHUTDOWN },
};

struct hc_outcome hc_mysql_outcome_of(uint16_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		if (errors[i].code == code)
			return (struct hc_outcome){ (enum hc_reason)errors[i].reason, code };
	}
	return (struct hc_outcome){ HC_REASON_BAD_REPLY, code };
}

/* The server says so, and counts a broken login all the same: bad handshake, and methods of
 * before 4.1 (which may be made up, to hide that there is no such account). */
static bool is_counted_broken(uint16_t code)
{
	return code == 1043 || code == 1251 || code == 1275;
}

static void begin(void *talk, const struct check *c, const struct endpoint *to,
		  const struct hc_account *who)
{
	struct hc_mysql *m = talk;

	(void)to;
	m->check = c;
	m->who = who;
	m->lag_s = -1;
	m->reader.limit = HC_MYSQL_EARLY_MAX;
}

static void end(void *talk)
{
	struct hc_mysql *m = talk;

	buf_wipe(&m->head.out); /* it may have held the password */
	buf_done(&m->reader.packet);
}

/* --- what we say ------------------------------------------------------------------ */

static size_t begin_packet(struct hc_mysql *m)
{
	size_t at = m->head.out.len;

	wire_put_u32(&m->head.out, 0);
	return at;
}

/* An answer has the number that follows the packet it answers. */
static void end_packet(struct hc_mysql *m, size_t at)
{
	hc_mysql_finish(&m->head.out, at, m->reader.sequence++);
}

void hc_mysql_command(struct hc_mysql *m, uint8_t command, const char *text)
{
	size_t at = begin_packet(m);

	m->reader.sequence = 0;
	wire_put_u8(&m->head.out, command);
	buf_str(&m->head.out, text);
	end_packet(m, at);
}

static void settle(struct hc_mysql *m, struct hc_outcome o)
{
	m->head.outcome = o;
	/* To who never came to an answer there is nothing to say. */
	m->head.phase = m->answered ? HC_TALK_GOODBYE : HC_TALK_OVER;
	m->state = HC_MYSQL_GOODBYE;
}

static void settle_badly(struct hc_mysql *m)
{
	settle(m, (struct hc_outcome){ HC_REASON_BAD_REPLY, 0 });
}

void hc_mysql_finish_with(struct hc_mysql *m, enum hc_reason reason, int32_t detail)
{
	hc_mysql_command(m, COM_QUIT, "");
	settle(m, (struct hc_outcome){ reason, detail });
}

static void put_attribute(struct buf *b, const char *key, const char *value)
{
	wire_put_u8(b, (uint8_t)strlen(key));
	buf_str(b, key);
	wire_put_u8(b, (uint8_t)strlen(value));
	buf_str(b, value);
}

static void put_attributes(struct buf *b)
{
	size_t at = b->len;

	wire_put_u8(b, 0);
	put_attribute(b, "program_name", "parasaus");
	put_attribute(b, "program_version", PARASAUS_VERSION);
	b->data[at] = (uint8_t)(b->len - at - 1); /* far below 251: one byte says it */
}

/* What both SSLRequest and the login begin with. */
static uint32_t put_capabilities(struct hc_mysql *m, bool tls)
{
	uint32_t ours = HC_MYSQL_CAP_MYSQL | HC_MYSQL_CAP_PROTOCOL41 | HC_MYSQL_CAP_SECURE |
			HC_MYSQL_CAP_PLUGINS | HC_MYSQL_CAP_ATTRIBUTES;

	/* Never LOCAL_FILES: with it a server may ask for files. */
	ours &= m->greeting.capabilities | HC_MYSQL_CAP_MYSQL;
	if (tls)
		ours |= HC_MYSQL_CAP_SSL;
	wire_put_u32(&m->head.out, ours);
	wire_put_u32(&m->head.out, CLIENT_PACKET);
	wire_put_u8(&m->head.out, COLLATION);
	memset(buf_add(&m->head.out, 23), 0, 23);
	return ours;
}

static void put_login(struct hc_mysql *m, const char *name, const uint8_t *answer, size_t len)
{
	size_t at = begin_packet(m);
	uint32_t ours = put_capabilities(m, m->is_secured);

	buf_put(&m->head.out, name, strlen(name) + 1);
	wire_put_u8(&m->head.out, (uint8_t)len);
	buf_put(&m->head.out, answer, len);
	if (ours & HC_MYSQL_CAP_PLUGINS) {
		const char *plugin = hc_mysql_plugin_text(m->plugin);

		buf_put(&m->head.out, plugin, strlen(plugin) + 1);
	}
	if (ours & HC_MYSQL_CAP_ATTRIBUTES)
		put_attributes(&m->head.out);
	end_packet(m, at);
}

static void put_answer(struct hc_mysql *m, const void *answer, size_t len)
{
	size_t at = begin_packet(m);

	buf_put(&m->head.out, answer, len);
	end_packet(m, at);
}

/* Well formed and wrong: the server reads it to its end and refuses the login by itself. */
static void put_wrong_answer(struct hc_mysql *m)
{
	uint8_t wrong[HC_MYSQL_ANSWER_MAX];
	size_t len = hc_mysql_answer_len(m->plugin);

	memset(wrong, 'x', sizeof(wrong));
	if (m->plugin == HC_MYSQL_OTHER)
		wrong[len - 1] = '\0'; /* most others want a text */
	put_answer(m, wrong, len);
}

/* --- the login -------------------------------------------------------------------- */

static void log_in(struct hc_mysql *m)
{
	uint8_t answer[HC_MYSQL_ANSWER_MAX];
	size_t len = 0;

	/* Of a plugin that is not ours, or has another seed, the server tells once it knows the name. */
	m->plugin = m->greeting.plugin;
	if (m->plugin != HC_MYSQL_SHA2)
		m->plugin = HC_MYSQL_NATIVE;
	m->state = HC_MYSQL_LOGIN;
	if (!hc_mysql_answer(m->plugin, m->who->password, m->greeting.seed, answer, &len))
		m->is_risky = true; /* no answer: the server may take it for a broken login */
	put_login(m, m->who->username, answer, m->is_risky ? 0 : len);
	explicit_bzero(answer, sizeof(answer));
}

/* By a login that will be refused, and tells nothing of us. */
static void leave(struct hc_mysql *m, enum hc_reason reason)
{
	uint8_t wrong[HC_MYSQL_ANSWER_MAX];

	memset(wrong, 'x', sizeof(wrong));
	m->head.outcome = (struct hc_outcome){ reason, 0 };
	m->state = HC_MYSQL_LEAVING;
	m->plugin = HC_MYSQL_NATIVE;
	put_login(m, NOBODY, wrong, hc_mysql_answer_len(m->plugin));
}

static void on_greeting(struct hc_mysql *m, struct wire packet)
{
	uint16_t code = hc_mysql_error(packet);
	size_t at;

	if (code) {
		m->answered = true;
		settle(m, hc_mysql_outcome_of(code));
		return;
	}
	if (!hc_mysql_greeting(packet, &m->greeting)) {
		settle_badly(m);
		return;
	}
	if (m->check->tls != CHECK_TLS_OFF && m->greeting.capabilities & HC_MYSQL_CAP_SSL) {
		at = begin_packet(m);
		put_capabilities(m, true);
		end_packet(m, at);
		m->state = HC_MYSQL_SECURING;
		m->head.phase = HC_TALK_SECURING;
		return;
	}
	if (m->check->tls == CHECK_TLS_REQUIRED)
		leave(m, HC_REASON_TLS);
	else
		log_in(m);
}

/* Not trusted: our name and password are not told. */
static void secured(void *talk, enum hc_reason trust)
{
	struct hc_mysql *m = talk;

	m->is_secured = true;
	m->head.phase = HC_TALK_ON;
	if (trust == HC_REASON_OK)
		log_in(m);
	else
		leave(m, HC_REASON_TLS);
}

/* From here on nothing but the refusal is waited for. */
static void give_up(struct hc_mysql *m)
{
	m->head.outcome = (struct hc_outcome){ HC_REASON_AUTH, 0 };
	m->state = HC_MYSQL_LEAVING;
	m->is_risky = true;
	put_wrong_answer(m);
}

static void on_switch(struct hc_mysql *m, struct wire packet)
{
	uint8_t answer[HC_MYSQL_ANSWER_MAX];
	struct hc_mysql_switch s;
	size_t len;

	if (!hc_mysql_switch(packet, &s)) {
		settle_badly(m);
		return;
	}
	m->plugin = s.plugin;
	if (m->state == HC_MYSQL_LEAVING) {
		put_wrong_answer(m);
		return;
	}
	if (!hc_mysql_answer(s.plugin, m->who->password, s.seed, answer, &len)) {
		give_up(m);
		return;
	}
	put_answer(m, answer, len);
	explicit_bzero(answer, sizeof(answer));
}

/* caching_sha2_password: the server does not remember us and wants the password itself. */
static void on_full_login(struct hc_mysql *m)
{
	uint8_t wrong[RSA_LEN];

	if (m->is_secured && m->state == HC_MYSQL_LOGIN) {
		buf_reserve(&m->head.out, HEADER + strlen(m->who->password) + 1);
		put_answer(m, m->who->password, strlen(m->who->password) + 1);
		return;
	}
	/* In the clear it expects what its key has encrypted; anybody could give us such a key. */
	if (m->state == HC_MYSQL_LOGIN)
		m->head.outcome = (struct hc_outcome){ HC_REASON_AUTH, 0 };
	m->state = HC_MYSQL_LEAVING;
	m->is_risky = true;
	memset(wrong, 'x', sizeof(wrong));
	wrong[sizeof(wrong) - 1] = '\0';
	put_answer(m, wrong, sizeof(wrong));
}

static void on_more(struct hc_mysql *m, struct wire packet)
{
	uint8_t said;

	(void)wire_u8(&packet);
	said = wire_u8(&packet);
	if (m->plugin == HC_MYSQL_SHA2 && wire_end(&packet) && said == SHA2_FULL) {
		on_full_login(m);
		return;
	}
	if (m->plugin == HC_MYSQL_SHA2 && wire_end(&packet) && said == SHA2_FAST_OK)
		return;
	if (m->state == HC_MYSQL_LEAVING)
		put_wrong_answer(m);
	else
		settle_badly(m);
}

static void on_refusal(struct hc_mysql *m, uint16_t code)
{
	m->answered = true;
	m->is_risky = m->is_risky || is_counted_broken(code);
	if (m->state == HC_MYSQL_LOGIN)
		settle(m, hc_mysql_outcome_of(code));
	else
		settle(m, (struct hc_outcome){ m->head.outcome.reason, code });
}

static void on_login(struct hc_mysql *m)
{
	m->answered = m->logged_in = true;
	m->is_risky = false;
	m->reader.limit = HC_MYSQL_PACKET_MAX;
	if (m->state ==
	    HC_MYSQL_LEAVING) /* let in by a wrong password: what we found still holds */
		hc_mysql_finish_with(m, m->head.outcome.reason, 0);
	else
		hc_mysql_ask_first(m);
}

static void on_login_packet(struct hc_mysql *m, struct wire packet)
{
	uint16_t code = hc_mysql_error(packet);

	if (code) {
		on_refusal(m, code);
		return;
	}
	if (packet.left == 0 || ++m->rounds > ROUNDS_MAX) {
		settle_badly(m);
		return;
	}
	switch (packet.data[0]) {
	case OK:
		on_login(m);
		break;
	case SWITCH:
		on_switch(m, packet);
		break;
	case MORE_DATA:
		on_more(m, packet);
		break;
	default:
		settle_badly(m);
	}
}

static void on_packet(struct hc_mysql *m)
{
	struct wire packet = wire_of(m->reader.packet.data, m->reader.packet.len);

	switch (m->state) {
	case HC_MYSQL_GREETING:
		on_greeting(m, packet);
		break;
	case HC_MYSQL_LOGIN:
	case HC_MYSQL_LEAVING:
		on_login_packet(m, packet);
		break;
	case HC_MYSQL_ASKING:
		hc_mysql_hear_answer(m, packet);
		break;
	case HC_MYSQL_SECURING:
	case HC_MYSQL_GOODBYE:
		break;
	}
}

/* --- what it says ----------------------------------------------------------------- */

static void feed(void *talk, const uint8_t *data, size_t len)
{
	struct hc_mysql *m = talk;

	while (len > 0 && m->state != HC_MYSQL_GOODBYE) {
		/* Bytes that came in the clear must not be taken for what TLS protects. */
		if (m->state == HC_MYSQL_SECURING) {
			settle_badly(m);
			return;
		}
		switch (hc_mysql_read(&m->reader, &data, &len)) {
		case HC_MYSQL_MORE:
			break;
		case HC_MYSQL_PACKET:
			on_packet(m);
			break;
		case HC_MYSQL_BROKEN:
			settle_badly(m);
			break;
		case HC_MYSQL_TOO_LONG:
			settle(m, (struct hc_outcome){ HC_REASON_TOO_LONG, 0 });
			break;
		}
	}
}

static void closed(void *talk)
{
	struct hc_mysql *m = talk;

	if (m->state != HC_MYSQL_GOODBYE)
		settle(m, (struct hc_outcome){ HC_REASON_CLOSED, 0 });
}

bool hc_mysql_is_owed(const struct hc_mysql *m)
{
	return !m->answered || m->is_risky;
}

static enum hc_login_end login_end(const void *talk)
{
	const struct hc_mysql *m = talk;

	if (hc_mysql_is_owed(m))
		return HC_LOGIN_BROKEN;
	return m->logged_in ? HC_LOGIN_GOOD : HC_LOGIN_REFUSED;
}

const struct hc_protocol hc_mysql_protocol = {
	.size = sizeof(struct hc_mysql),
	.begin = begin,
	.end = end,
	.feed = feed,
	.closed = closed,
	.secured = secured,
	.login_end = login_end,
};

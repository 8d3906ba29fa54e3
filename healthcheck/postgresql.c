/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/postgresql.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#define VERSION	    196608 /* 3.0 */
#define TLS_REQUEST 80877103
#define GSS_REQUEST 80877104
#define DATABASE    "postgres"
#define HEADER	    5
#define CODE_LEN    5
#define MECHANISM   "SCRAM-SHA-256"

enum scram_step { SCRAM_NOT_BEGUN, SCRAM_BEGUN, SCRAM_PROVED, SCRAM_VERIFIED };

enum auth {
	AUTH_OK = 0,
	AUTH_CLEAR = 3,
	AUTH_MD5 = 5,
	AUTH_SASL = 10,
	AUTH_GO_ON = 11,
	AUTH_FINAL = 12
};

/* What an SQLSTATE begins with, and what it says of the server. The first that fits. */
static const struct {
	const char *code;
	uint8_t reason; /* enum hc_reason */
} errors[] = {
	{ "57P03", HC_REASON_NOT_READY }, /* it starts, recovers or shuts down */
	{ "57P0", HC_REASON_SHUTDOWN },	  { "53300", HC_REASON_SATURATED },
	{ "53", HC_REASON_NOT_READY }, /* no disk, no memory */
	{ "28", HC_REASON_AUTH },      /* no such account, a wrong password, not from here */
	{ "3D000", HC_REASON_AUTH },   /* no such database */
	{ "42501", HC_REASON_AUTH },   /* no right to connect, or to ask */
	{ "55000", HC_REASON_AUTH },   /* the database takes no connections */
};

static uint32_t big32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void set32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void put32(struct buf *b, uint32_t v)
{
	set32(buf_add(b, 4), v);
}

/* A message whose type (0: none, as at first) and length are filled in at the end. */
static size_t begin_message(struct hc_pg *p, uint8_t type)
{
	if (type)
		wire_put_u8(&p->head.out, type);
	put32(&p->head.out, 0);
	return p->head.out.len - 4;
}

static void end_message(struct hc_pg *p, size_t at)
{
	set32(p->head.out.data + at, (uint32_t)(p->head.out.len - at));
}

static void put_text(struct hc_pg *p, const char *text)
{
	buf_put(&p->head.out, text, strlen(text) + 1);
}

static void put_request(struct hc_pg *p, uint32_t code)
{
	size_t at = begin_message(p, 0);

	put32(&p->head.out, code);
	end_message(p, at);
}

static void conclude(struct hc_pg *p, enum hc_reason reason, int32_t detail,
		     enum hc_talk_phase leaving)
{
	p->head.phase = leaving;
	p->head.outcome = (struct hc_outcome){ reason, detail };
	p->state = HC_PG_OVER;
}

static void conclude_badly(struct hc_pg *p)
{
	conclude(p, HC_REASON_BAD_REPLY, 0, HC_TALK_OVER);
}

/* Says goodbye: then the server closes. */
static void finish(struct hc_pg *p, enum hc_reason reason)
{
	end_message(p, begin_message(p, 'X'));
	conclude(p, reason, 0, HC_TALK_GOODBYE);
}

static void put_startup(struct hc_pg *p)
{
	size_t at = begin_message(p, 0);

	put32(&p->head.out, VERSION);
	put_text(p, "user");
	put_text(p, p->who->username);
	put_text(p, "database");
	put_text(p, DATABASE);
	put_text(p, "application_name");
	put_text(p, "parasaus");
	wire_put_u8(&p->head.out, 0);
	end_message(p, at);
	p->state = HC_PG_LOGIN;
}

void hc_pg_init(struct hc_pg *p, const struct check *c, const struct hc_account *who,
		const uint8_t *random)
{
	*p = (struct hc_pg){ .check = c, .who = who };
	hc_scram_init(&p->scram, random);
	if (!who) {
		put_request(p, GSS_REQUEST);
		p->state = HC_PG_OFFERING;
	} else if (c->tls != CHECK_TLS_OFF) {
		put_request(p, TLS_REQUEST);
		p->state = HC_PG_ASKING_TLS;
	} else {
		put_startup(p);
	}
}

static void end(void *talk)
{
	struct hc_pg *p = talk;

	buf_wipe(&p->head.out); /* it may have held the password */
	buf_done(&p->body);
}

/* By FIN, and a person is told: as a login that was refused. */
static void refuse_tls(struct hc_pg *p)
{
	p->login = HC_LOGIN_REFUSED;
	conclude(p, HC_REASON_TLS, 0, HC_TALK_LEAVING);
}

static void secured(void *talk, enum hc_reason trust)
{
	struct hc_pg *p = talk;

	p->is_secured = true;
	p->head.phase = HC_TALK_ON;
	if (trust == HC_REASON_OK)
		put_startup(p);
	else
		refuse_tls(p);
}

/* --- the login ---------------------------------------------------------------------- */

static void put_password(struct hc_pg *p, const void *answer, size_t len)
{
	size_t at;

	buf_reserve(&p->head.out, HEADER + len + 1); /* what is wiped in the end was never moved */
	at = begin_message(p, 'p');
	buf_put(&p->head.out, answer, len);
	wire_put_u8(&p->head.out, 0);
	end_message(p, at);
}

/* A server does not mind a client that will not say its password, if only it ends by FIN. */
static void give_up(struct hc_pg *p)
{
	p->login = HC_LOGIN_REFUSED;
	conclude(p, HC_REASON_AUTH, 0, HC_TALK_LEAVING);
}

static void on_md5(struct hc_pg *p, const uint8_t *salt, size_t len)
{
	char answer[HC_PG_MD5_LEN];

	if (len != HC_PG_SALT_LEN) {
		conclude_badly(p);
		return;
	}
	if (hc_pg_md5(p->who->username, p->who->password, salt, answer))
		put_password(p, answer, sizeof(answer));
	else
		give_up(p);
}

/* Names of mechanisms, each with its NUL, and one more. */
static bool offers_scram(const uint8_t *list, size_t len)
{
	while (len > 0) {
		const uint8_t *end = memchr(list, 0, len);

		if (!end || end == list)
			return false;
		if (strcmp((const char *)list, MECHANISM) == 0)
			return true;
		len -= (size_t)(end - list) + 1;
		list = end + 1;
	}
	return false;
}

static void on_sasl(struct hc_pg *p, const uint8_t *list, size_t len)
{
	CLEANUP(buf_done) struct buf first = { 0 };
	size_t at;

	if (!offers_scram(list, len)) {
		give_up(p);
		return;
	}
	p->scram_step = SCRAM_BEGUN;
	hc_scram_first(&p->scram, &first);
	at = begin_message(p, 'p');
	put_text(p, MECHANISM);
	put32(&p->head.out, (uint32_t)first.len);
	buf_put(&p->head.out, first.data, first.len);
	end_message(p, at);
}

static void on_sasl_first(struct hc_pg *p, const uint8_t *said, size_t len)
{
	CLEANUP(buf_done) struct buf proof = { 0 };
	int r = hc_scram_proof(&p->scram, p->who->password, said, len, &proof);
	size_t at;

	if (r == -ERANGE) {
		give_up(p);
	} else if (r < 0) {
		conclude_badly(p);
	} else {
		p->scram_step = SCRAM_PROVED;
		at = begin_message(p, 'p');
		buf_put(&p->head.out, proof.data, proof.len);
		end_message(p, at);
	}
}

static void on_login(struct hc_pg *p)
{
	p->login = HC_LOGIN_GOOD;
	p->state = HC_PG_ENTERED;
}

/* To whom an authority that was named vouches for, and in TLS; for anybody can begin that. */
static bool may_say_password(const struct hc_pg *p)
{
	return p->is_secured && p->who->trust && hc_tls_trust_is_asked(p->who->trust);
}

/* The first thing it asks. It chooses once: what it learned by one way is not to help by another. */
static void on_first_auth(struct hc_pg *p, uint32_t what, const uint8_t *body, size_t len)
{
	if (what == AUTH_OK)
		on_login(p);
	else if (what == AUTH_CLEAR && may_say_password(p))
		put_password(p, p->who->password, strlen(p->who->password));
	else if (what == AUTH_MD5)
		on_md5(p, body, len);
	else if (what == AUTH_SASL)
		on_sasl(p, body, len);
	else if (what == AUTH_GO_ON || what == AUTH_FINAL)
		conclude_badly(p);
	else
		give_up(p); /* Kerberos and the like, or the password in the clear */
}

/* It proves itself before it lets us in: it knows the password, too. */
static void on_scram(struct hc_pg *p, uint32_t what, const uint8_t *body, size_t len)
{
	if (what == AUTH_GO_ON && p->scram_step == SCRAM_BEGUN)
		on_sasl_first(p, body, len);
	else if (what == AUTH_FINAL && p->scram_step == SCRAM_PROVED &&
		 hc_scram_is_server(&p->scram, body, len))
		p->scram_step = SCRAM_VERIFIED;
	else if (what == AUTH_OK && p->scram_step == SCRAM_VERIFIED)
		on_login(p);
	else
		conclude_badly(p);
}

static void on_auth(struct hc_pg *p, const uint8_t *body, size_t len)
{
	if (p->state != HC_PG_LOGIN || len < 4)
		conclude_badly(p);
	else if (p->scram_step != SCRAM_NOT_BEGUN)
		on_scram(p, big32(body), body + 4, len - 4);
	else if (!p->asked)
		on_first_auth(p, big32(body), body + 4, len - 4);
	else if (big32(body) == AUTH_OK)
		on_login(p);
	else
		conclude_badly(p);
	p->asked = true;
}

/* --- what it says ------------------------------------------------------------------- */

/* The SQLSTATE of an error: fields of a letter and a text. NULL: it has none. */
static const char *code_of(const uint8_t *body, size_t len)
{
	while (len > 1 && body[0]) {
		const uint8_t *end = memchr(body, 0, len);

		if (!end)
			return NULL;
		if (body[0] == 'C')
			return end - body == CODE_LEN + 1 ? (const char *)body + 1 : NULL;
		len -= (size_t)(end - body) + 1;
		body = end + 1;
	}
	return NULL;
}

/* As a number, where it is one. */
static int32_t number_of(const char *code)
{
	int32_t n = 0;

	for (int i = 0; i < CODE_LEN; i++) {
		if (code[i] < '0' || code[i] > '9')
			return 0;
		n = n * 10 + (code[i] - '0');
	}
	return n;
}

static void on_error(struct hc_pg *p, const uint8_t *body, size_t len)
{
	const char *code = code_of(body, len);
	enum hc_reason reason = HC_REASON_BAD_REPLY;

	if (!code) {
		conclude_badly(p);
		return;
	}
	for (size_t i = ARRAY_LEN(errors); i-- > 0;) {
		if (strncmp(code, errors[i].code, strlen(errors[i].code)) == 0)
			reason = (enum hc_reason)errors[i].reason;
	}
	if (reason == HC_REASON_AUTH && p->state == HC_PG_LOGIN)
		p->login = HC_LOGIN_REFUSED;
	/* One that is older than the question is there all the same. */
	if (p->state == HC_PG_OFFERING && strncmp(code, "0A000", CODE_LEN) == 0)
		reason = HC_REASON_OK;
	/* After an error of the login the server closes; of a question it waits for our goodbye. */
	if (p->state == HC_PG_ASKING)
		end_message(p, begin_message(p, 'X'));
	conclude(p, reason, reason == HC_REASON_OK ? 0 : number_of(code), HC_TALK_GOODBYE);
}

/* One row of one column: 't' or 'f'. */
static void on_row(struct hc_pg *p, const uint8_t *body, size_t len)
{
	static const uint8_t one[] = { 0, 1, 0, 0, 0, 1 };

	if (p->state != HC_PG_ASKING || len != sizeof(one) + 1 ||
	    memcmp(body, one, sizeof(one)) != 0 || !strchr("tf", body[len - 1]) || !body[len - 1])
		conclude_badly(p);
	else
		p->role = body[len - 1] == 't' ? CHECK_ROLE_READER : CHECK_ROLE_WRITER;
}

static void on_ready(struct hc_pg *p)
{
	size_t at;

	if (p->state == HC_PG_ENTERED && p->check->role == CHECK_ROLE_ANY) {
		finish(p, HC_REASON_OK);
	} else if (p->state == HC_PG_ENTERED) {
		at = begin_message(p, 'Q');
		put_text(p, "SELECT pg_is_in_recovery()");
		end_message(p, at);
		p->state = HC_PG_ASKING;
	} else if (p->state == HC_PG_ASKING && p->role != CHECK_ROLE_ANY) {
		finish(p, p->role == p->check->role ? HC_REASON_OK : HC_REASON_ROLE);
	} else {
		conclude_badly(p);
	}
}

/* Parameters, notices, a key to cancel by: nobody's business, and as long as they like. */
static bool is_passed_over(uint8_t type)
{
	return type && strchr("SNKvTC", type);
}

static void on_message(struct hc_pg *p)
{
	const uint8_t *body = p->body.data;
	size_t len = p->body.len;

	switch (p->header[0]) {
	case 'R':
		on_auth(p, body, len);
		break;
	case 'E':
		on_error(p, body, len);
		break;
	case 'Z':
		on_ready(p);
		break;
	case 'D':
		on_row(p, body, len);
		break;
	default:
		if (!is_passed_over(p->header[0]))
			conclude_badly(p);
	}
}

static void begin_tls(struct hc_pg *p)
{
	p->state = HC_PG_SECURING;
	p->head.phase = HC_TALK_SECURING;
}

/* The one byte that answers a request made before the login. */
static void on_answer(struct hc_pg *p, uint8_t said)
{
	bool gss = p->state == HC_PG_OFFERING;

	if (gss && said == 'G')
		conclude(p, HC_REASON_OK, 0, HC_TALK_OVER);
	else if (gss && said == 'N')
		conclude(p, HC_REASON_OK, 0, HC_TALK_LEAVING);
	else if (!gss && said == 'S')
		begin_tls(p);
	else if (!gss && said == 'N' && p->check->tls == CHECK_TLS_REQUIRED)
		refuse_tls(p);
	else if (!gss && said == 'N')
		put_startup(p);
	else
		conclude_badly(p);
}

/* True: the header is whole, and its message is to be read. */
static bool take_header(struct hc_pg *p, uint8_t byte)
{
	uint32_t len;

	p->header[p->header_len++] = byte;
	if (p->header_len < HEADER)
		return false;
	len = big32(p->header + 1);
	if (len < 4)
		conclude_badly(p);
	else if (len - 4 > HC_PG_BODY_MAX && !is_passed_over(p->header[0]))
		conclude(p, HC_REASON_TOO_LONG, 0, HC_TALK_OVER);
	else
		p->body_len = len - 4;
	buf_reset(&p->body);
	p->body_got = 0;
	return p->state != HC_PG_OVER;
}

static void take(struct hc_pg *p, uint8_t byte)
{
	if (p->header_len < HEADER) {
		if (!take_header(p, byte) || p->body_len > 0)
			return;
	} else {
		p->body_got++;
		if (!is_passed_over(p->header[0]))
			wire_put_u8(&p->body, byte);
	}
	if (p->body_got < p->body_len)
		return;
	p->header_len = 0;
	on_message(p);
}

static void feed(void *talk, const uint8_t *data, size_t len)
{
	struct hc_pg *p = talk;

	for (size_t i = 0; i < len && p->state != HC_PG_OVER; i++) {
		if (p->state == HC_PG_SECURING)
			conclude_badly(p); /* in the clear: not to be taken for what TLS protects */
		else if (p->total++ == HC_PG_TOTAL_MAX)
			conclude(p, HC_REASON_TOO_LONG, 0, HC_TALK_OVER);
		/* An error may stand in for that byte. */
		else if (p->state <= HC_PG_ASKING_TLS && p->header_len == 0 && data[i] != 'E')
			on_answer(p, data[i]);
		else
			take(p, data[i]);
	}
}

static void closed(void *talk)
{
	struct hc_pg *p = talk;

	if (p->state != HC_PG_OVER)
		conclude(p, HC_REASON_CLOSED, 0, HC_TALK_GOODBYE);
}

static void begin(void *talk, const struct check *c, const struct endpoint *to,
		  const struct hc_account *who)
{
	uint8_t random[HC_SCRAM_NONCE] = { 0 };

	(void)to;
	/* Without it the server would be the only one to choose: its own loss. */
	(void)!gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof(random));
	hc_pg_init(talk, c, who, random);
}

static enum hc_login_end login_end(const void *talk)
{
	return ((const struct hc_pg *)talk)->login;
}

const struct hc_protocol hc_pg_protocol = {
	.size = sizeof(struct hc_pg),
	.begin = begin,
	.end = end,
	.feed = feed,
	.closed = closed,
	.secured = secured,
	.login_end = login_end,
};

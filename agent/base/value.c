/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values as people write them. Nothing here depends on the locale: a decimal
 * point is a point, and digits and letters are ASCII.
 */
#include "agent/base/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SECOND_MS 1000u
#define MINUTE_MS (60u * SECOND_MS)
#define HOUR_MS	  (60u * MINUTE_MS)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* The digits at *s, which is moved behind them. -ERANGE: more than any of our numbers has. */
static int take_digits(const char **s, unsigned max_digits, uint64_t *out)
{
	uint64_t value = 0;
	unsigned n = 0;

	for (; is_digit((*s)[n]); n++) {
		if (n == max_digits)
			return -ERANGE;
		value = value * 10 + (uint64_t)((*s)[n] - '0');
	}
	if (n == 0 || (n > 1 && (*s)[0] == '0'))
		return -EINVAL;
	*s += n;
	*out = value;
	return 0;
}

int value_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int value_uint(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t value;
	int r = take_digits(&s, 18, &value);

	if (r < 0)
		return r;
	if (*s != '\0')
		return -EINVAL;
	if (value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

/* ".125" at *s as thousandths; nothing there is 0. */
static int take_fraction(const char **s, uint64_t *out)
{
	uint64_t value = 0;
	unsigned n = 0;

	if (**s != '.') {
		*out = 0;
		return 0;
	}
	(*s)++;
	for (; is_digit(**s); (*s)++, n++) {
		if (n == 3)
			return -EINVAL;
		value = value * 10 + (uint64_t)(**s - '0');
	}
	if (n == 0)
		return -EINVAL;
	for (; n < 3; n++)
		value *= 10;
	*out = value;
	return 0;
}

static int unit_ms(const char *s, uint32_t *out)
{
	static const struct {
		const char *name;
		uint32_t ms;
	} units[] = {
		{ "", SECOND_MS },  { "ms", 1 },      { "s", SECOND_MS },
		{ "m", MINUTE_MS }, { "h", HOUR_MS },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(s, units[i].name) == 0) {
			*out = units[i].ms;
			return 0;
		}
	}
	return -EINVAL;
}

int value_duration_ms(const char *s, uint32_t min, uint32_t max, uint32_t *out)
{
	uint64_t whole = 0;
	uint64_t thousandths = 0;
	uint64_t fraction;
	uint32_t unit = 0;
	int r;

	r = take_digits(&s, 10, &whole); /* 10 digits of hours fit 64 bits of milliseconds */
	if (r == 0)
		r = take_fraction(&s, &thousandths);
	if (r == 0)
		r = unit_ms(s, &unit);
	if (r < 0)
		return r;
	fraction = thousandths * unit;
	if (fraction % 1000 != 0)
		return -EINVAL;
	whole = whole * unit + fraction / 1000;
	if (whole < min || whole > max)
		return -ERANGE;
	*out = (uint32_t)whole;
	return 0;
}

const char *value_duration_text(uint32_t ms, char out[static VALUE_DURATION_TEXT_MAX])
{
	uint32_t unit = 1;
	const char *name = "ms";

	if (ms % HOUR_MS == 0 && ms > 0) {
		unit = HOUR_MS;
		name = "h";
	} else if (ms % MINUTE_MS == 0 && ms > 0) {
		unit = MINUTE_MS;
		name = "m";
	} else if (ms % SECOND_MS == 0) {
		unit = SECOND_MS;
		name = "s";
	}
	snprintf(out, VALUE_DURATION_TEXT_MAX, "%" PRIu32 "%s", ms / unit, name);
	return out;
}

static int take_status(const char **s, uint16_t *out)
{
	uint64_t value;
	int r = take_digits(s, 3, &value);

	if (r < 0)
		return r;
	if (value < 100 || value > 599)
		return -ERANGE;
	*out = (uint16_t)value;
	return 0;
}

int value_statuses(const char *s, struct check_status_range out[static CHECK_EXPECT_MAX],
		   unsigned *out_count)
{
	struct check_status_range ranges[CHECK_EXPECT_MAX] = { 0 };
	unsigned n = 0;

	for (;; s++) {
		struct check_status_range *range = &ranges[n];
		int r;

		if (n == CHECK_EXPECT_MAX)
			return -ERANGE;
		r = take_status(&s, &range->first);
		range->last = range->first;
		if (r == 0 && *s == '-') {
			s++;
			r = take_status(&s, &range->last);
		}
		if (r < 0)
			return r;
		if (range->last < range->first)
			return -EINVAL;
		n++;
		if (*s != ',')
			break;
	}
	if (*s != '\0')
		return -EINVAL;
	memcpy(out, ranges, sizeof(ranges));
	*out_count = n;
	return 0;
}

const char *value_statuses_text(const struct check_status_range *ranges, unsigned count,
				char out[static VALUE_STATUSES_TEXT_MAX])
{
	size_t len = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < count && i < CHECK_EXPECT_MAX; i++) {
		unsigned first = ranges[i].first % 1000u;
		unsigned last = ranges[i].last % 1000u;
		const char *comma = i > 0 ? "," : "";

		if (first == last)
			len += (size_t)snprintf(out + len, VALUE_STATUSES_TEXT_MAX - len, "%s%u",
						comma, first);
		else
			len += (size_t)snprintf(out + len, VALUE_STATUSES_TEXT_MAX - len, "%s%u-%u",
						comma, first, last);
	}
	return out;
}

/* What stands behind a backslash, at *s, which is moved behind it; -1: nothing that is known. */
static int take_escaped(const char **s)
{
	static const char names[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
	const char *name = **s ? strchr(names, **s) : NULL;
	int high, low;

	if (name) {
		(*s)++;
		return bytes[name - names];
	}
	if (**s != 'x')
		return -1;
	high = value_digit((*s)[1]);
	low = high < 0 ? -1 : value_digit((*s)[2]);
	if (low < 0)
		return -1;
	*s += 3;
	return high * 16 + low;
}

int value_bytes(const char *s, uint8_t out[static CHECK_BYTES_MAX], size_t *out_len)
{
	uint8_t bytes[CHECK_BYTES_MAX];
	size_t len = 0;

	while (*s) {
		int byte = (unsigned char)*s++;

		if (byte == '\\')
			byte = take_escaped(&s);
		else if (byte < ' ' || byte == 0x7f)
			byte = -1;
		if (byte < 0)
			return -EINVAL;
		if (len == sizeof(bytes))
			return -ERANGE;
		bytes[len++] = (uint8_t)byte;
	}
	if (len == 0)
		return -EINVAL;
	memcpy(out, bytes, len);
	*out_len = len;
	return 0;
}

static bool is_label_character(char c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || is_digit(c) || c == '-' || c == '_';
}

#define LABEL_MAX 63 /* RFC 1035, 2.3.4 */

int value_dns_name(const char *s, uint8_t out[static CHECK_DNS_WIRE_MAX], size_t *out_len)
{
	uint8_t wire[CHECK_DNS_WIRE_MAX];
	size_t len = 0;

	if (strcmp(s, ".") == 0)
		s++;
	else if (!*s)
		return -EINVAL;
	while (*s) {
		size_t label = 0;

		while (is_label_character(s[label]))
			label++;
		if (label == 0 || (s[label] && s[label] != '.'))
			return -EINVAL;
		if (label > LABEL_MAX || len + 1 + label + 1 > sizeof(wire))
			return -ERANGE;
		wire[len++] = (uint8_t)label;
		memcpy(wire + len, s, label);
		len += label;
		s += label + (s[label] == '.');
	}
	wire[len++] = 0;
	memcpy(out, wire, len);
	*out_len = len;
	return 0;
}

bool value_is_http_path(const char *s)
{
	size_t len = strnlen(s, CHECK_PATH_MAX + 1);

	if (s[0] != '/' || len > CHECK_PATH_MAX)
		return false;
	for (; *s != '\0'; s++) {
		if (*s <= ' ' || *s > '~' || *s == '#')
			return false;
	}
	return true;
}

bool value_is_server_name(const char *s)
{
	struct addr address;
	size_t label = 0, len;

	if (addr_parse(s, &address) == 0)
		return true;
	for (len = 0; s[len] && len <= CHECK_HOST_MAX; len++) {
		if (s[len] == '.' ? label == 0 : !is_label_character(s[len]))
			return false;
		label = s[len] == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return false;
	}
	return label > 0 && len <= CHECK_HOST_MAX;
}

bool value_is_http_host(const char *s)
{
	size_t len = strnlen(s, CHECK_HOST_MAX + 1);

	if (len == 0 || len > CHECK_HOST_MAX)
		return false;
	for (; *s != '\0'; s++) {
		if (!is_label_character(*s) && !strchr(".:[]", *s))
			return false;
	}
	return true;
}

bool value_is_grpc_service(const char *s)
{
	size_t len = strnlen(s, CHECK_SERVICE_MAX + 1);

	if (len == 0 || len > CHECK_SERVICE_MAX)
		return false;
	for (; *s != '\0'; s++) {
		if (*s < 0x21 || *s > 0x7e)
			return false;
	}
	return true;
}

/* --- did you mean -------------------------------------------------------------- */

#define NEAREST_EDITS 2
#define NEAREST_WORD  32

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Optimal string alignment distance of two words of at most NEAREST_WORD bytes. */
static unsigned edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned d[NEAREST_WORD + 1][NEAREST_WORD + 1];

	for (size_t i = 0; i <= a_len; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= b_len; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		for (size_t j = 1; j <= b_len; j++) {
			unsigned other = lower(a[i - 1]) != lower(b[j - 1]);

			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + other);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]) && d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[a_len][b_len];
}

const char *value_nearest(const char *word, const char *const *words, size_t count)
{
	size_t len = strnlen(word, NEAREST_WORD + 1);
	unsigned best = NEAREST_EDITS + 1;
	const char *nearest = NULL;

	if (len > NEAREST_WORD)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t other = strnlen(words[i], NEAREST_WORD + 1);
		unsigned n;

		if (other > NEAREST_WORD)
			continue;
		n = edits(word, len, words[i], other);
		/* Of a short word two edits leave nothing: "up" is not "dr". */
		if (n < best && n < len && n < other) {
			best = n;
			nearest = words[i];
		}
	}
	return nearest;
}

/* Lower-case letters and digits, '-' between them, and '.' too where `dots`. */
static bool is_dns_name(const char *s, size_t len, bool dots)
{
	char before = '.'; /* as if: neither begins a label */

	for (size_t i = 0; i < len; before = s[i++]) {
		if ((s[i] >= 'a' && s[i] <= 'z') || is_digit(s[i]))
			continue;
		if (before == '.' || !(s[i] == '-' || (s[i] == '.' && dots && before != '-')))
			return false;
	}
	return before != '.' && before != '-';
}

static bool is_secret_none(const char *s, size_t len)
{
	return len == strlen(CHECK_SECRET_NONE) && memcmp(s, CHECK_SECRET_NONE, len) == 0;
}

bool value_is_secret_name(const char *s)
{
	const char *slash = strchr(s, '/');
	size_t label = slash ? (size_t)(slash - s) : 0;
	size_t name = slash ? strcspn(slash + 1, "@") : 0;
	const char *at = slash ? slash + 1 + name : "";
	uint64_t source;

	return slash && label <= 63 && name <= 253 && is_dns_name(s, label, false) &&
	       (is_dns_name(slash + 1, name, true) || is_secret_none(slash + 1, name)) &&
	       (!*at || value_uint(at + 1, 1, 99, &source) == 0);
}

/* --- words ---------------------------------------------------------------------- */

static const struct value_word roles[] = {
	{ "any", CHECK_ROLE_ANY },
	{ "writer", CHECK_ROLE_WRITER },
	{ "reader", CHECK_ROLE_READER },
	{ "galera", CHECK_ROLE_GALERA },
};
const struct value_words value_check_roles = VALUE_WORDS(roles);

static const struct value_word tls[] = {
	{ "off", CHECK_TLS_OFF },
	{ "preferred", CHECK_TLS_PREFERRED },
	{ "required", CHECK_TLS_REQUIRED },
};
const struct value_words value_check_tls = VALUE_WORDS(tls);

static const struct value_word vias[] = {
	{ "direct", CHECK_VIA_DIRECT },
	{ "vip", CHECK_VIA_VIP },
};
const struct value_words value_check_vias = VALUE_WORDS(vias);

static const struct value_word dns_types[] = {
	{ "A", 1 },    { "NS", 2 },  { "CNAME", 5 }, { "SOA", CHECK_DNS_SOA },
	{ "PTR", 12 }, { "MX", 15 }, { "TXT", 16 },  { "AAAA", 28 },
	{ "SRV", 33 },
};
const struct value_words value_dns_types = VALUE_WORDS(dns_types);

static const struct value_word dns_rcodes[] = {
	{ "NOERROR", 0 },  { "FORMERR", 1 }, { "SERVFAIL", 2 },
	{ "NXDOMAIN", 3 }, { "NOTIMP", 4 },  { "REFUSED", 5 },
};
const struct value_words value_dns_rcode_words = VALUE_WORDS(dns_rcodes);

uint16_t value_dns_rcodes_all(void)
{
	return (1u << ARRAY_LEN(dns_rcodes)) - 1;
}

void value_dns_rcode_put(struct buf *out, int64_t rcode)
{
	if (rcode >= 0 && rcode < (int64_t)ARRAY_LEN(dns_rcodes))
		buf_str(out, dns_rcodes[rcode].text);
	else
		buf_printf(out, "RCODE %" PRId64, rcode);
}

int value_dns_rcodes(const char *s, uint16_t *out)
{
	uint16_t rcodes = 0;

	for (;;) {
		size_t len = strcspn(s, ",");
		char word[16] = "";
		uint32_t rcode;

		if (len >= sizeof(word))
			return -EINVAL;
		memcpy(word, s, len);
		if (value_word(&value_dns_rcode_words, word, &rcode) < 0)
			return -EINVAL;
		rcodes |= (uint16_t)(1u << rcode);
		if (!s[len])
			break;
		s += len + 1;
	}
	*out = rcodes;
	return 0;
}

const char *value_dns_rcodes_text(uint16_t rcodes, char out[static VALUE_RCODES_TEXT_MAX])
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(dns_rcodes); i++) {
		if (rcodes & 1u << dns_rcodes[i].value)
			len += (size_t)snprintf(out + len, VALUE_RCODES_TEXT_MAX - len, "%s%s",
						len ? "," : "", dns_rcodes[i].text);
	}
	return out;
}

int value_word(const struct value_words *words, const char *s, uint32_t *out)
{
	for (size_t i = 0; i < words->count; i++) {
		if (strcmp(words->items[i].text, s) == 0) {
			*out = words->items[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

const char *value_word_text(const struct value_words *words, uint32_t value)
{
	for (size_t i = 0; i < words->count; i++) {
		if (words->items[i].value == value)
			return words->items[i].text;
	}
	return "?";
}

#define WORDS_MAX 32

void value_words_hint(const struct value_words *words, const char *s, struct buf *out)
{
	const char *texts[WORDS_MAX];
	const char *near;
	size_t n = 0;

	for (; n < words->count && n < WORDS_MAX; n++) {
		texts[n] = words->items[n].text;
		buf_str(out, n == 0 ? "" : n + 1 < words->count ? ", " : " or ");
		buf_str(out, texts[n]);
	}
	near = value_nearest(s, texts, n);
	if (near)
		buf_printf(out, ". Did you mean '%s'?", near);
}

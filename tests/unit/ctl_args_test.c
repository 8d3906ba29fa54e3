/* SPDX-License-Identifier: GPL-2.0-or-later */
/* args.c: the command line of parasausctl, good and bad. */
#include "agent/ctl/args.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/schema.h"
#include "agent/ctl/kinds.h"

#define WORDS_MAX 12

struct line {
	char text[256];
	char *words[WORDS_MAX + 1];
	int count;
	const struct ctl_command *command;
	struct ctl_args args;
	struct err err;
	int result;
};

/* "get pools -o json", split at blanks. */
static void parse(struct line *l, const char *text)
{
	*l = (struct line){ .count = 1 };
	l->words[0] = (char[]){ "parasausctl" };
	strncpy(l->text, text, sizeof(l->text) - 1);
	for (char *w = strtok(l->text, " "); w; w = strtok(NULL, " "))
		l->words[l->count++] = w;
	l->result = ctl_parse(l->count, l->words, &l->command, &l->args, &l->err);
}

static void options_stand_where_people_put_them(void **state)
{
	static const char *const lines[] = { "-s /x get pools a -o json --query q",
					     "get -s /x -o json pools a -q q",
					     "--socket=/x get pools --output=json a --query=q",
					     "-s/x -ojson -qq get pools a",
					     "-s /x -o json -q q -- get pools a" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct line l;

		parse(&l, lines[i]);
		assert_int_equal(l.result, 0);
		assert_string_equal(l.command->name, "get");
		assert_string_equal(l.args.place.socket, "/x");
		assert_int_equal(l.args.output, OUTPUT_JSON);
		assert_string_equal(l.args.query, "q");
		assert_int_equal(l.args.operand_count, 2);
		assert_string_equal(l.args.operands[0], "pools");
		assert_string_equal(l.args.operands[1], "a");
		ctl_args_done(&l.args);
	}
}

static void an_agent_elsewhere_is_named_whole(void **state)
{
	static const char print[] =
		"0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef";
	static const struct {
		const char *options;
		bool good;
	} cases[] = {
		{ "--server https://lb:9090 --token-file /t", true },
		{ "--server https://[2001:db8::1]:9090 --cacert /c", true },
		{ "--server https://lb", true },
		{ "--server http://lb:9090", false },
		{ "--server lb:9090", false },
		{ "--server https://", false },
		{ "--server https://lb/api", false },
		{ "--server https://me@lb", false },
		{ "--server https://lb --fingerprint 01:23", false },
		{ "--server https://lb --fingerprint PRINT", true },
		{ "--server https://lb --fingerprint PRINT --cacert /c", false },
		{ "--fingerprint PRINT", false },
		{ "--cacert /c", false },
		{ "--server https://lb --cert /c --key /k", true },
		{ "--server https://lb --cert /c --key /k --token-file /t", true },
		{ "--server https://lb --cert /c", false },
		{ "--server https://lb --key /k", false },
		{ "--cert /c --key /k", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *at = strstr(cases[i].options, "PRINT");
		size_t before = at ? (size_t)(at - cases[i].options) : strlen(cases[i].options);
		char text[256];
		struct line l;

		snprintf(text, sizeof(text), "%.*s%s%s get pools", (int)before, cases[i].options,
			 at ? print : "", at ? at + strlen("PRINT") : "");
		parse(&l, text);
		if ((l.result == 0) != cases[i].good)
			fail_msg("%s: %s", cases[i].options, l.err.text);
		ctl_args_done(&l.args);
	}
}

static void a_certificate_may_be_in_the_environment(void **state)
{
	struct line l;

	(void)state;
	setenv("PARASAUS_CERT", "/c", 1);
	setenv("PARASAUS_KEY", "/k", 1);
	parse(&l, "--server https://lb get pools");
	assert_int_equal(l.result, 0);
	assert_string_equal(l.args.place.cert, "/c");
	assert_string_equal(l.args.place.key, "/k");
	ctl_args_done(&l.args);
	parse(&l, "--server https://lb --cert /other get pools");
	assert_string_equal(l.args.place.cert, "/other");
	assert_string_equal(l.args.place.key, "/k");
	ctl_args_done(&l.args);
	parse(&l, "get pools"); /* on this machine there is none to show it to */
	assert_int_equal(l.result, 0);
	assert_null(l.args.place.cert);
	ctl_args_done(&l.args);
	setenv("PARASAUS_KEY", "", 1);
	parse(&l, "--server https://lb get pools");
	assert_true(l.result < 0);
	assert_non_null(strstr(l.err.text, "name the certificate's key"));
	ctl_args_done(&l.args);
	unsetenv("PARASAUS_CERT");
	unsetenv("PARASAUS_KEY");
}

static void there_are_defaults(void **state)
{
	struct line l;

	(void)state;
	parse(&l, "wait");
	assert_int_equal(l.result, 0);
	assert_string_equal(l.args.place.socket, REST_SOCKET_DEFAULT);
	assert_int_equal(l.args.output, OUTPUT_TABLE);
	assert_int_equal(l.args.timeout_ms, 60000);
	assert_int_equal(l.args.generation, 0);
	assert_false(l.args.synced || l.args.yes || l.args.help);
}

static void times_and_numbers_are_read(void **state)
{
	struct line l;

	(void)state;
	parse(&l, "wait --synced --generation 999999999999999999 --timeout 0.5");
	assert_int_equal(l.result, 0);
	assert_true(l.args.synced);
	assert_true(l.args.generation == UINT64_C(999999999999999999));
	assert_int_equal(l.args.timeout_ms, 500);
	parse(&l, "wait -t 2m");
	assert_int_equal(l.args.timeout_ms, 120000);
}

static void help_is_given_with_and_without_a_command(void **state)
{
	static const struct {
		const char *line, *command;
	} cases[] = {
		{ "-h", NULL }, { "--help", NULL }, { "get --help", "get" }, { "-h wait", "wait" }
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct line l;

		parse(&l, cases[i].line);
		assert_int_equal(l.result, 0);
		assert_true(l.args.help);
		if (cases[i].command)
			assert_string_equal(l.command->name, cases[i].command);
		else
			assert_null(l.command);
	}
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{ "", "no command given" },
		{ "-s /x", "no command given" },
		{ "explian x", "did you mean 'explain'?" },
		{ "frobnicate", "unknown command 'frobnicate'" },
		{ "get pools -z", "unknown option '-z'" },
		{ "get pools -z more", "unknown option '-z'" },
		{ "get pools --zoom", "unknown option '--zoom'" },
		{ "get pools -o", "option '-o' needs a value" },
		{ "get pools --output", "option '--output' needs a value" },
		{ "get pools -o yaml", "'yaml' is none of table, wide, json" },
		{ "wait --timeout soon", "'soon' is not a time" },
		{ "wait --timeout -1", "'-1' is not a time" },
		{ "wait --timeout 25h", "'25h' is not a time" },
		{ "wait --generation 0", "'0' is not a number" },
		{ "wait --generation 99999999999999999999", "is not a number" },
		{ "wait -o json", "'wait' has no option --output" },
		{ "version -c x", "'version' has no option --config" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct line l;

		parse(&l, cases[i].line);
		assert_int_equal(l.result, -EINVAL);
		assert_non_null(strstr(l.err.text, cases[i].says));
		ctl_args_done(&l.args);
	}
}

static void every_command_has_its_help(void **state)
{
	(void)state;
	for (const struct ctl_command *c = ctl_commands; c->name; c++) {
		struct buf text = { 0 };

		assert_ptr_equal(ctl_find(c->name), c);
		ctl_help(c, &text);
		assert_non_null(strstr(buf_cstr(&text), c->text));
		assert_non_null(strstr(buf_cstr(&text), "--help"));
		buf_reset(&text);
		ctl_help(NULL, &text);
		assert_non_null(strstr(buf_cstr(&text), c->summary));
		buf_done(&text);
	}
	assert_null(ctl_find("no such"));
}

static bool takes_kinds(const char *command)
{
	const struct ctl_command *c = ctl_find(command);

	return c && (strncmp(c->operands, "KIND", 4) == 0 || strcmp(command, "describe") == 0);
}

/* By every command that it is of, and never for two kinds. */
static void is_taken(const struct ctl_kind *k, const char *word)
{
	char commands[128], capitals[64] = "";

	for (size_t i = 0; word[i]; i++)
		capitals[i] = (char)toupper((unsigned char)word[i]);
	snprintf(commands, sizeof(commands), "%s", k->commands);
	for (char *c = strtok(commands, " "); c; c = strtok(NULL, " ")) {
		assert_true(takes_kinds(c));
		assert_ptr_equal(ctl_kind_find(word, c), k);
		assert_ptr_equal(ctl_kind_find(capitals, c), k);
	}
	for (const struct ctl_kind *other = ctl_kinds; other->name; other++)
		for (size_t i = 0; other != k && i < ARRAY_LEN(k->words) && other->words[i]; i++)
			assert_string_not_equal(other->words[i], word);
}

static void a_kind_has_the_same_words_in_all_commands(void **state)
{
	(void)state;
	for (const struct ctl_kind *k = ctl_kinds; k->name; k++) {
		is_taken(k, k->name);
		for (size_t i = 0; i < ARRAY_LEN(k->words) && k->words[i]; i++)
			is_taken(k, k->words[i]);
	}
	assert_null(ctl_kind_find("secrets", "get"));
	assert_null(ctl_kind_find("pools", "ge"));
	assert_null(ctl_kind_find("pool", "history rollback"));
	assert_null(ctl_kind_find("", "get"));
}

static void help_has_every_word_of_a_kind(void **state)
{
	CLEANUP(buf_done) struct buf names = { 0 }, text = { 0 };

	(void)state;
	ctl_kinds_put("edit", "|", &names);
	assert_string_equal(buf_cstr(&names), "address-pools|services|endpoints|endpointslices");
	ctl_help(ctl_find("history"), &text);
	assert_non_null(strstr(buf_cstr(&text), "\n  services        service, svc\n"));
	assert_non_null(strstr(buf_cstr(&text), "\n  secrets         secret\n"));
	assert_null(strstr(buf_cstr(&text), "  problems"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_stand_where_people_put_them),
		cmocka_unit_test(an_agent_elsewhere_is_named_whole),
		cmocka_unit_test(a_certificate_may_be_in_the_environment),
		cmocka_unit_test(there_are_defaults),
		cmocka_unit_test(times_and_numbers_are_read),
		cmocka_unit_test(help_is_given_with_and_without_a_command),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(every_command_has_its_help),
		cmocka_unit_test(a_kind_has_the_same_words_in_all_commands),
		cmocka_unit_test(help_has_every_word_of_a_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

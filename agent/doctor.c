/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/doctor.h"

#include <stdio.h>

#include "agent/api/json_writer.h"
#include "agent/base/buf.h"
#include "agent/ipvs_role.h"
#include "ipvs/doctor.h"

#define EXIT_FOUND 3

struct report {
	struct buf text;
	struct json_writer json;
	bool as_json;
	size_t counts[DOCTOR_ERROR + 1];
};

static void put_text(struct report *r, const struct doctor_finding *f)
{
	buf_printf(&r->text, "%-8s %-12s %s\n", doctor_grade_text(f->grade), f->check, f->text);
	if (f->fix[0])
		buf_printf(&r->text, "%-8s %-12s to mend it: %s\n", "", "", f->fix);
}

static void put_json(struct report *r, const struct doctor_finding *f)
{
	json_put_object(&r->json, NULL);
	json_put_text(&r->json, "severity", doctor_grade_text(f->grade));
	json_put_text(&r->json, "check", f->check);
	json_put_text(&r->json, "text", f->text);
	json_put_text(&r->json, "fix", f->fix[0] ? f->fix : NULL);
	json_end_object(&r->json);
}

static void on_finding(void *arg, const struct doctor_finding *f)
{
	struct report *r = arg;

	r->counts[f->grade]++;
	if (r->as_json)
		put_json(r, f);
	else
		put_text(r, f);
}

static void judge(struct report *r, const struct doctor_facts *f)
{
	r->json.out = &r->text;
	if (r->as_json) {
		json_put_object(&r->json, NULL);
		json_put_array(&r->json, "items");
	}
	doctor_judge(f, on_finding, r);
	if (r->as_json) {
		json_end_array(&r->json);
		json_end_object(&r->json);
		buf_str(&r->text, "\n");
		return;
	}
	buf_printf(&r->text, "%zu errors, %zu warnings, %zu notes%s\n", r->counts[DOCTOR_ERROR],
		   r->counts[DOCTOR_WARNING], r->counts[DOCTOR_NOTE],
		   f->running ? "" : "; no agent of this configuration is running");
}

int doctor_run(const struct config *c, bool running, bool json)
{
	struct report r = { .as_json = json };
	struct doctor_facts facts;
	struct err err = { 0 };
	int code = role_ipvs_look(c, &facts, &err);

	if (code < 0) {
		fprintf(stderr, "parasausd: doctor: %s\n", err.text);
		doctor_facts_done(&facts);
		return 1;
	}
	facts.running = running;
	/* Where that is refused the agent says so itself. */
	if (!c->check_notrack)
		facts.check_interval_ms = c->defaults.check->interval_ms;
	judge(&r, &facts);
	doctor_facts_done(&facts);
	code = r.counts[DOCTOR_ERROR] || r.counts[DOCTOR_WARNING] ? EXIT_FOUND : 0;
	if (fwrite(r.text.data, 1, r.text.len, stdout) != r.text.len || fflush(stdout) != 0)
		code = 1;
	buf_done(&r.text);
	return code;
}

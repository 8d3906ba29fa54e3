/* SPDX-License-Identifier: GPL-2.0-or-later */
/* path_services.h: what it takes to make the service of a path what it should be. */
#include "ipvs/path_services.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct ipvs_path example(void)
{
	return (struct ipvs_path){
		.number = 7,
		.vip = addr_v4(0x0a000001),
		.to = { addr_v4(0x0a020002), IPPROTO_TCP, 80 },
		.forward = IPVS_TUNNEL,
		.tunnel = 1,
		.tunnel_port = 6080,
	};
}

/* As the kernel holds it when all is right. */
static struct ipvs_service held(void)
{
	struct ipvs_service s = { .key.addr.family = AF_INET,
				  .scheduler = "rr",
				  .flags = IPVS_PERSISTENT,
				  .timeout = 10,
				  .netmask = ~0U };

	*ipvs_service_add(&s) = (struct ipvs_dest){
		.addr = addr_v4(0x0a020002),
		.port = 80,
		.forward = IPVS_TUNNEL,
		.tunnel = 1,
		.tunnel_port = 6080,
		.weight = 1,
	};
	return s;
}

static void a_service_that_is_missing_is_made(void **state)
{
	const struct ipvs_path p = example();
	struct ipvs_op ops[PATH_OPS_MAX];

	(void)state;
	assert_int_equal(path_service_plan(&p, NULL, ops), 2);
	assert_int_equal(ops[0].kind, IPVS_NEW_SERVICE);
	assert_int_equal(ops[0].mark, 0x50610007);
	assert_int_equal(ops[0].key.addr.family, AF_INET);
	assert_string_equal(ops[0].scheduler, "rr");
	assert_int_equal(ops[0].flags, IPVS_PERSISTENT);
	assert_int_equal(ops[0].timeout, 10);
	assert_int_equal(ops[0].netmask, ~0U);
	assert_int_equal(ops[1].kind, IPVS_NEW_DEST);
	assert_int_equal(ops[1].mark, 0x50610007);
	assert_int_equal(addr_cmp(&ops[1].dest.addr, &p.to.addr), 0);
	assert_int_equal(ops[1].dest.port, 80);
	assert_int_equal(ops[1].dest.forward, IPVS_TUNNEL);
	assert_int_equal(ops[1].dest.tunnel, 1);
	assert_int_equal(ops[1].dest.tunnel_port, 6080);
	assert_int_equal(ops[1].dest.weight, 1);
}

static void of_ipv6_the_mask_is_a_length(void **state)
{
	struct ipvs_path p = example();
	struct ipvs_op ops[PATH_OPS_MAX];

	(void)state;
	assert_int_equal(addr_parse("2001:db8::1", &p.vip), 0);
	assert_int_equal(addr_parse("2001:db8::2", &p.to.addr), 0);
	assert_int_equal(path_service_plan(&p, NULL, ops), 2);
	assert_int_equal(ops[0].key.addr.family, AF_INET6);
	assert_int_equal(ops[0].netmask, 128);
}

static void one_that_is_right_is_left(void **state)
{
	const struct ipvs_path p = example();
	struct ipvs_service s = held();
	struct ipvs_op ops[PATH_OPS_MAX];

	(void)state;
	assert_int_equal(path_service_plan(&p, &s, ops), 0);
	ipvs_service_done(&s);
}

typedef void spoil_fn(struct ipvs_service *s, struct ipvs_dest *d);

static void spoil_scheduler(struct ipvs_service *s, struct ipvs_dest *d)
{
	(void)d;
	memcpy(s->scheduler, "wlc", 4);
}

static void spoil_flags(struct ipvs_service *s, struct ipvs_dest *d)
{
	(void)d;
	s->flags = 0;
}

static void spoil_timeout(struct ipvs_service *s, struct ipvs_dest *d)
{
	(void)d;
	s->timeout = 300;
}

static void spoil_netmask(struct ipvs_service *s, struct ipvs_dest *d)
{
	(void)d;
	s->netmask = 0xffffff;
}

static void spoil_number(struct ipvs_service *s, struct ipvs_dest *d)
{
	*ipvs_service_add(s) = (struct ipvs_dest){ .addr = d->addr, .port = 81, .weight = 1 };
}

static void spoil_server(struct ipvs_service *s, struct ipvs_dest *d)
{
	(void)s;
	d->addr.bytes[3] = 3;
}

static void spoil_port(struct ipvs_service *s, struct ipvs_dest *d)
{
	(void)s;
	d->port = 81;
}

static void spoil_forward(struct ipvs_service *s, struct ipvs_dest *d)
{
	(void)s;
	d->forward = IPVS_DIRECT;
}

static void spoil_tunnel(struct ipvs_service *s, struct ipvs_dest *d)
{
	(void)s;
	d->tunnel = 2;
}

static void spoil_tunnel_port(struct ipvs_service *s, struct ipvs_dest *d)
{
	(void)s;
	d->tunnel_port = 6081;
}

static void spoil_weight(struct ipvs_service *s, struct ipvs_dest *d)
{
	(void)s;
	d->weight = 0;
}

static void spoil_thresholds(struct ipvs_service *s, struct ipvs_dest *d)
{
	(void)s;
	d->upper = 1;
}

static void whatever_differs_it_is_made_anew(void **state)
{
	static spoil_fn *const spoils[] = {
		spoil_scheduler, spoil_flags,	    spoil_timeout, spoil_netmask,
		spoil_number,	 spoil_server,	    spoil_port,	   spoil_forward,
		spoil_tunnel,	 spoil_tunnel_port, spoil_weight,  spoil_thresholds,
	};
	const struct ipvs_path p = example();
	struct ipvs_op ops[PATH_OPS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		struct ipvs_service s = held();

		spoils[i](&s, ipvs_service_edit(&s));
		assert_int_equal(path_service_plan(&p, &s, ops), 3);
		assert_int_equal(ops[0].kind, IPVS_DEL_SERVICE);
		assert_int_equal(ops[0].mark, 0x50610007);
		assert_int_equal(ops[1].kind, IPVS_NEW_SERVICE);
		assert_int_equal(ops[2].kind, IPVS_NEW_DEST);
		ipvs_service_done(&s);
	}
}

static void one_without_a_server_is_made_anew(void **state)
{
	const struct ipvs_path p = example();
	struct ipvs_service s = held();
	struct ipvs_op ops[PATH_OPS_MAX];

	(void)state;
	ipvs_service_done(&s);
	assert_int_equal(path_service_plan(&p, &s, ops), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_that_is_missing_is_made),
		cmocka_unit_test(of_ipv6_the_mask_is_a_length),
		cmocka_unit_test(one_that_is_right_is_left),
		cmocka_unit_test(whatever_differs_it_is_made_anew),
		cmocka_unit_test(one_without_a_server_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attributes and two macros that every file may use. */
#ifndef AGENT_BASE_ATTR_H
#define AGENT_BASE_ATTR_H

#define MUST_CHECK	  __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define CLEANUP(fn)	  __attribute__((cleanup(fn)))
#define NORETURN	  __attribute__((noreturn))
#define UNUSED		  __attribute__((unused))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif

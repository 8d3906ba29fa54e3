/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The OpenAPI 3.1 description of all that is served: openapi.json, as it stands
 * in the tree, inside the program. tests/unit/api_openapi_test.c holds the two
 * together, both ways.
 */
#ifndef AGENT_API_OPENAPI_H
#define AGENT_API_OPENAPI_H

extern const char openapi_text[]; /* up to openapi_end; no NUL */
extern const char openapi_end[];

#endif

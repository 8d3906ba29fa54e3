/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which API server to ask now, and who we are to it: keeps a kube_access
 * alive while files are rotated and servers come and go.
 *
 *   token file        read again each minute, and at once after a 401
 *   CA, certificate   read again each 5 minutes, and at once after HTTP_UNTRUSTED;
 *                     http_set_trust() only where the bytes are others
 *   kubeconfig        read again each minute, and at once after a 401 or HTTP_UNTRUSTED; where it
 *                     says something else it is taken whole, but for other servers: those may be
 *                     another cluster, with revisions of its own, and take a start
 *   servers           the next one after a failure, the same one for as long as it
 *                     answers; where the round begins hangs on the node's name, so that
 *                     many agents spread over the servers
 *
 * A file that cannot be read, or is not what it should be, leaves what was read
 * before in force and is told as a problem. Authorities that were never read are
 * none: no server is trusted then, and never by the system's. Reading is blocking, of small files.
 * Nothing here waits or retries for its callers, and nothing logs.
 */
#ifndef WATCH_KUBE_CREDENTIALS_H
#define WATCH_KUBE_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/loop.h"
#include "watch/http.h"
#include "watch/kubeconfig.h"

#define KUBE_TOKEN_EVERY_MS (60 * 1000) /* the kubeconfig too */
#define KUBE_TRUST_EVERY_MS (5 * 60 * 1000)

struct kube_credentials;

/*
 * Something is wrong at `where` (a file's path, or the kubeconfig's for what is
 * inline); NULL text: not any more. Told when it changes, from the loop and never
 * from inside a call. Fits watch_sink.problem with line 0.
 */
typedef void kube_problem_fn(void *arg, const char *where, const char *text);

/*
 * Takes *access over (it is empty afterwards), reads the files and sets h's trust
 * before it returns; h must outlive it. Files that cannot be read now are no error:
 * they are a problem, and tried again. `node` is the name of this node. `problem` NULL: nobody is
 * told.
 */
MUST_CHECK struct kube_credentials *kube_credentials_new(struct loop *l, struct http *h,
							 struct kube_access *access,
							 const char *node, kube_problem_fn *problem,
							 void *arg);
void kube_credentials_free(struct kube_credentials *c); /* NULL is fine; secrets are overwritten */

/* For http_request.server. Never NULL; valid until kube_credentials_free(). */
const char *kube_credentials_server(const struct kube_credentials *c);
/*
 * For http_request.token: NULL where there is none. Valid until the next call of one of these.
 * *serial (which may be NULL) tells it from others, for kube_credentials_unauthorized().
 */
const char *kube_credentials_token(const struct kube_credentials *c, uint32_t *serial);

/*
 * A request to `server` (what kube_credentials_server() gave then) ended with `r`, or the server
 * said that it cannot serve (status 500 and above: HTTP_CUT). Turns to the next server, once for
 * however many requests failed on the same one; HTTP_UNTRUSTED reads the trust again first and
 * stays where that changed. HTTP_DONE, HTTP_STOPPED and HTTP_LOCAL change nothing.
 *
 * True: there is something new to try at once (a server that has not failed since the last one
 * answered, another trust). False: all have failed; wait, longer each time.
 */
bool kube_credentials_failed(struct kube_credentials *c, const char *server, enum http_result r);
/* The server answered well: a new round of tries begins with the next failure. */
void kube_credentials_ok(struct kube_credentials *c, const char *server);
/* A 401 to a request with the token of this serial. True: there is another token; try at once. */
bool kube_credentials_unauthorized(struct kube_credentials *c, uint32_t serial);

#endif

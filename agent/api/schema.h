/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names of the REST interface: paths, parameters, fields and error codes,
 * for the server and for parasausctl. They are a promise to programs outside:
 * parasaus-rest(7) describes every one of them, and a name once published
 * neither changes nor gets another meaning.
 */
#ifndef AGENT_API_SCHEMA_H
#define AGENT_API_SCHEMA_H

#define REST_SOCKET_DEFAULT "/run/parasaus/api.sock"
#define REST_CLUSTER_URL    "/parasaus" /* in a cluster's rights: get reads, update writes */

/* Paths; {id} stands for one segment. */
#define REST_HEALTHZ		      "/healthz"
#define REST_LIVEZ		      "/livez"
#define REST_READYZ		      "/readyz"
#define REST_VERSION_PATH	      "/version"
#define REST_METRICS		      "/metrics"
#define REST_OPENAPI		      "/openapi.json"
#define REST_STATUS		      "/api/v1/status"
#define REST_COUNTS		      "/api/v1/counts"
#define REST_NODES		      "/api/v1/nodes"
#define REST_IPVS		      "/api/v1/ipvs"
#define REST_WHOAMI		      "/api/v1/whoami"
#define REST_EVENTS		      "/api/v1/events"
#define REST_WATCH		      "/api/v1/watch"
#define REST_POOLS		      "/api/v1/pools"
#define REST_POOL		      "/api/v1/pools/{id}"
#define REST_POOL_MEMBERS	      "/api/v1/pools/{id}/members"
#define REST_POOL_MEMBER	      "/api/v1/pools/{id}/members/{mid}"
#define REST_POOL_SPEC		      "/api/v1/pools/{id}/spec"
#define REST_MEMBERS		      "/api/v1/members"
#define REST_TARGETS		      "/api/v1/targets"
#define REST_TARGET_PATH	      "/api/v1/targets/{id}"
#define REST_PROBLEMS		      "/api/v1/problems"
#define REST_ADDRESS_POOLS	      "/api/v1/address-pools"
#define REST_ADDRESS_POOL_ALLOCATIONS "/api/v1/address-pools/{name}/allocations"

#define REST_POOL_STATISTICS "/api/v1/pools/{id}/statistics"

#define REST_POOL_REVISIONS "/api/v1/pools/{id}/revisions"
#define REST_POOL_ROLLBACK  "/api/v1/pools/{id}:rollback"
#define REST_POOLS_BATCH    "/api/v1/pools:batch"

/* Of the store; {ns}, {kind} (services, ...), {name}, {rev} stand for one segment each. */
#define REST_APPLY	   "/api/v1/apply"
#define REST_DOCUMENT	   "/api/v1/namespaces/{ns}/{kind}/{name}"
#define REST_ROLLBACK	   "/api/v1/namespaces/{ns}/{kind}/{name}:rollback"
#define REST_REVISIONS	   "/api/v1/namespaces/{ns}/{kind}/{name}/revisions"
#define REST_REVISION_PATH "/api/v1/namespaces/{ns}/{kind}/{name}/revisions/{rev}"
/* An AddressPool has no namespace. */
#define REST_ADDRESS_POOL	    "/api/v1/address-pools/{name}"
#define REST_ADDRESS_POOL_ROLLBACK  "/api/v1/address-pools/{name}:rollback"
#define REST_ADDRESS_POOL_REVISIONS "/api/v1/address-pools/{name}/revisions"
#define REST_ADDRESS_POOL_REVISION  "/api/v1/address-pools/{name}/revisions/{rev}"
#define REST_OPERATIONS		    "/api/v1/operations"
#define REST_OPERATION		    "/api/v1/operations/{op}"

/* Of tokens, over the unix socket alone; {name} is one's. */
#define REST_TOKENS "/api/v1/tokens"
#define REST_TOKEN  "/api/v1/tokens/{name}"
/* Of backups of the store, the same. */
#define REST_BACKUPS	    "/api/v1/backups"
#define REST_BACKUP	    "/api/v1/backups/{name}"
#define REST_BACKUP_RESTORE "/api/v1/backups/{name}:restore"

#define REST_YAML	  "application/yaml"
#define REST_MERGE_PATCH  "application/merge-patch+json"
#define REST_JSON	  "application/json"
#define REST_NDJSON	  "application/x-ndjson"
#define REST_SSE	  "text/event-stream"
#define REST_PROBLEM	  "application/problem+json"
#define REST_TEXT	  "text/plain; charset=utf-8"
#define REST_METRICS_TEXT "text/plain; version=0.0.4; charset=utf-8"

#define REST_LAST_EVENT_ID_HEADER "Last-Event-ID"
#define REST_REQUEST_ID_HEADER	  "X-Request-Id" /* taken from the client, and told back */

/* Query parameters of lists. */
#define REST_Q		"q"
#define REST_OFFSET	"offset"
#define REST_LIMIT	"limit"
#define REST_SORT	"sort"
#define REST_VIP	"vip"
#define REST_VIP_PORT	"vipPort"   /* to sort by, alone */
#define REST_NAMESPACE	"namespace" /* a field, too; so are the following */
#define REST_SERVICE	"service"
#define REST_HEALTH	"health"
#define REST_POOL_FIELD "pool"
#define REST_STATE	"state"
#define REST_TYPE	"type"
#define REST_SEVERITY	"severity"

#define REST_LIMIT_DEFAULT 100
#define REST_LIMIT_MAX	   1000
#define REST_TARGET_MAX	   4096	 /* bytes of a request target */
#define REST_HEADERS_MAX   16384 /* bytes of request line and headers together */

#define REST_BODY_MAX (1u << 20) /* bytes of a request's body */

/* Of writes: parameters, headers, fields. */
#define REST_DRY_RUN		"dryRun" /* all */
#define REST_CHANGED_HEADER	"Parasaus-Changed"
#define REST_IDEMPOTENCY_HEADER "Idempotency-Key"
#define REST_OBJECT		"object"
#define REST_CHANGED		"changed"
#define REST_DIFF		"diff"
#define REST_WARNINGS		"warnings"
#define REST_OP			"op"
/* Of a dry run: what the kernel would be told. */
#define REST_PLAN	       "plan"
#define REST_PLAN_TOTAL	       "planTotal"
#define REST_NEW_SERVICE       "new-service" /* op; so are the following */
#define REST_SET_SERVICE       "set-service"
#define REST_DEL_SERVICE       "delete-service"
#define REST_NEW_SERVER	       "new-server"
#define REST_SET_SERVER	       "set-server"
#define REST_DEL_SERVER	       "delete-server"
#define REST_SERVER	       "server"
#define REST_VALUE	       "value"
#define REST_DATA_KEYS	       "dataKeys" /* instead of a Secret's values */
#define REST_KIND	       "kind"
#define REST_RESULT	       "result"
#define REST_RESULT_CREATED    "created"
#define REST_RESULT_CONFIGURED "configured"
#define REST_RESULT_UNCHANGED  "unchanged"
#define REST_RESULT_WRITTEN \
	"written" /* of a write that failed half way; so is the next, and unknown */
#define REST_RESULT_NOT_WRITTEN "not-written"
#define REST_RIGHT		"right" /* that is missing, of an API server's refusal */
#define REST_TO_REVISION	"toRevision"
#define REST_ERRORS		"errors"
#define REST_POINTER		"pointer"
#define REST_CURRENT		"current"
#define REST_HOLDER		"holder"
#define REST_FRONTEND		"frontend"
/* Of a pool as its documents have it; besides those of a pool. */
#define REST_PORT_NAME "portName"
#define REST_SETTINGS  "settings"
#define REST_DOCUMENTS "documents"
#define REST_DRAIN     "drain"
/* Of an operation, besides. */
#define REST_ACTION	   "action"
#define REST_PEER	   "peer"
#define REST_BEFORE	   "before"
#define REST_REMOVED	   "removed"
#define REST_FORCED	   "forced"
#define REST_BEFORE_OBJECT "beforeObject"
#define REST_AFTER_OBJECT  "afterObject"
#define REST_UNTIL	   "until"
#define REST_REQUEST	   "request"

/* Of a list. */
#define REST_ITEMS    "items"
#define REST_TOTAL    "total"
#define REST_SNAPSHOT "snapshot"

/* Of an address pool. */
#define REST_ADDRESSES		"addresses"
#define REST_PORTS		"ports"
#define REST_SIZE		"size"
#define REST_USED		"used"
#define REST_FREE		"free"
#define REST_RESERVED		"reserved"
#define REST_AUTO_ASSIGN	"autoAssign"
#define REST_ADDRESS_POOL_FIELD "addressPool" /* of a new pool: out of which */
/* Of a dry run that changes some. */
#define REST_ADDRESS_POOLS_FIELD "addressPools"
#define REST_GAINED		 "gained"
#define REST_OUTSIDE		 "outside"

/* Of a pool. */
#define REST_ID			 "id"
#define REST_PORT		 "port"
#define REST_PROTOCOL		 "protocol"
#define REST_SOURCE		 "source"
#define REST_FRONTENDS		 "frontends"
#define REST_SCHEDULER		 "scheduler"
#define REST_FORWARDING		 "forwarding"
#define REST_MASQUERADE		 "masquerade"
#define REST_PERSISTENCE_SECONDS "persistenceSeconds"
#define REST_DRAIN_SECONDS	 "drainSeconds"
#define REST_ON_UNHEALTHY	 "onUnhealthy"
#define REST_FAIL_POLICY	 "failPolicy"
#define REST_SLOW_START_S	 "slowStartSeconds"
#define REST_MIN_HEALTHY	 "minHealthyPercent"
#define REST_TRAFFIC_POLICY	 "externalTrafficPolicy" /* Cluster, Local */
#define REST_LOCAL_ONLY		 "localOnly"
#define REST_CHECK		 "check"
#define REST_FAIL_OPEN		 "failOpen"
#define REST_INHERITED		 "inherited"
#define REST_GENERATION		 "generation"
#define REST_LAST_OPERATOR	 "lastOperator"
#define REST_LAST_ACTION	 "lastAction"
#define REST_LAST_OPERATION_TIME "lastOperationTime"
#define REST_MEMBERS_FIELD	 "members"
#define REST_PROBLEMS_FIELD	 "problems"
#define REST_PROBLEM_COUNT	 "problemCount"

/* Of a pool's `members`. */
#define REST_UP	       "up"
#define REST_DOWN      "down"
#define REST_UNKNOWN   "unknown"
#define REST_DRAINING  "draining"
#define REST_ELSEWHERE "elsewhere"

/* Of a pool's `check`. */
#define REST_PATH	      "path"
#define REST_HOST	      "host"
#define REST_MATCH	      "match"
#define REST_EXPECT	      "expect"
#define REST_DRAIN_STATUS     "drainStatus"
#define REST_DEGRADED_STATUS  "degradedStatus"
#define REST_REUSE	      "reuse"
#define REST_VIA	      "via"
#define REST_SEND	      "send"
#define REST_ANSWER	      "answer"
#define REST_DNS_NAME	      "dnsName"
#define REST_DNS_TYPE	      "dnsType"
#define REST_DNS_RCODES	      "dnsRcodes"
#define REST_INTERVAL_MS      "intervalMilliseconds"
#define REST_TIMEOUT_MS	      "timeoutMilliseconds"
#define REST_FAST_INTERVAL_MS "fastIntervalMilliseconds"
#define REST_RISE	      "rise"
#define REST_FALL	      "fall"
#define REST_HOLD_DOWN_S      "holdDownSeconds"
#define REST_SECRET	      "secret" /* of a target, too; so is role */
#define REST_ROLE	      "role"
#define REST_TLS	      "tls"
#define REST_SERVER_NAME      "serverName"
#define REST_MAX_LAG_SECONDS  "maxLagSeconds"

/* Of a member and of a target. */
#define REST_ADDRESS	      "address"
#define REST_WEIGHT	      "weight"
#define REST_EFFECTIVE_WEIGHT "effectiveWeight"
#define REST_IN_TABLE	      "inTable"
#define REST_REASONS	      "reasons"
#define REST_SINCE	      "since"
#define REST_REMOVE_AT	      "removeAt"
#define REST_TARGET	      "target"
#define REST_LAST_CHECK	      "lastCheck"
#define REST_REASON	      "reason"
#define REST_DETAIL	      "detail" /* of an error, too */
#define REST_PROVEN	      "proven"
#define REST_OK		      "ok"
#define REST_FAILED	      "failed"
#define REST_LATENCY_US	      "latencyMicroseconds"
#define REST_FLAPS	      "flaps"
#define REST_HELD_UNTIL	      "heldUntil"
#define REST_POOLS_FIELD      "pools"

/* Of one target, besides. */
#define REST_PROBE	   "probe"
#define REST_UNDER_WAY	   "underWay"
#define REST_BEGAN_AT	   "beganAt"
#define REST_TOOK_US	   "tookMicroseconds"
#define REST_DUE_AT	   "dueAt"
#define REST_STREAK	   "streak"
#define REST_STREAK_NEEDED "streakNeeded"
#define REST_MEMBER_COUNT  "memberCount"
#define REST_TRANSITIONS   "transitions"

/* Of a problem. */
#define REST_WHERE	"where"
#define REST_LINE	"line"
#define REST_TEXT_FIELD "text"

/* Of the status. */
#define REST_NODE	       "node"
#define REST_VERSION	       "version"
#define REST_STARTED_AT	       "startedAt"
#define REST_APPLIED	       "appliedGeneration"
#define REST_SYNCED	       "synced"
#define REST_READY	       "ready"
#define REST_TARGETS_FIELD     "targets"
#define REST_KERNEL_WRITES     "kernelWrites"
#define REST_OTHER_WRITES      "otherWrites"
#define REST_REPAIRS	       "repairs"
#define REST_MH_DISORDERED     "mhDisordered"
#define REST_OVER_QUOTA	       "overQuota"   /* targets that are not checked */
#define REST_MASS	       "massFailure" /* its mode; besides names of fields: */
#define REST_MODE	       "mode"
#define REST_MASS_DOUBT	       "doubt"
#define REST_MASS_FREEZE       "freeze"
#define REST_FALLEN	       "fallen"
#define REST_WAITING	       "waiting"
#define REST_NOTRACK	       "notrack" /* of each family: */
#define REST_IPV4	       "ipv4"
#define REST_IPV6	       "ipv6"
#define REST_NOTRACK_OFF       "off" /* one of these */
#define REST_NOTRACK_WAITING   "waiting"
#define REST_NOTRACK_TRIAL     "trial"
#define REST_NOTRACK_ALL       "all"
#define REST_NOTRACK_REFUSED   "refused"
#define REST_PROBING	       "probing" /* of it: */
#define REST_PROBES	       "probes"
#define REST_INCONCLUSIVE      "inconclusive"
#define REST_RUNNING	       "running"
#define REST_LAG_MS	       "lagMs"
#define REST_LAG_MAX_MS	       "lagMaxMs"
#define REST_DEFERRED	       "deferred"
#define REST_LATE_SECONDS      "lateSeconds" /* 99.9 % of them are within it */
#define REST_LATENCY	       "latency"     /* of each type of check: */
#define REST_MEAN_US	       "meanMicroseconds"
#define REST_HALF_SECONDS      "halfSeconds" /* 50 % of them are within it */
#define REST_MOST_SECONDS      "mostSeconds" /* 99 % of them are within it */
#define REST_LAST_SYNC_SECONDS "lastSyncSeconds"
#define REST_PROCESSES	       "processes"
#define REST_PID	       "pid"
#define REST_REMOTE	       "remote"
#define REST_LISTEN	       "listen"
#define REST_FINGERPRINT       "fingerprint"
#define REST_NOT_AFTER	       "notAfter"
#define REST_RESIDENT_BYTES    "residentBytes"
#define REST_RESTARTS	       "restarts"
#define REST_SOURCES	       "sources"
#define REST_COMPLETE	       "complete"
#define REST_DELIVERED	       "delivered"
#define REST_WHY	       "why"
#define REST_OBJECTS	       "objects"
#define REST_HEARD_AT	       "heardAt"
#define REST_REVISION	       "revision"

/* Of a node; besides fields of the status. */
#define REST_SERVICES_FIELD "services"
#define REST_DESTINATIONS   "destinations"
/* Of statistics. */
#define REST_IN_KERNEL	 "inKernel"
#define REST_COUNTING	 "counting"
#define REST_CONNECTIONS "connections"
#define REST_PACKETS_IN	 "packetsIn"
#define REST_PACKETS_OUT "packetsOut"
#define REST_BYTES_IN	 "bytesIn"
#define REST_BYTES_OUT	 "bytesOut"
#define REST_ACTIVE	 "active"
#define REST_INACTIVE	 "inactive"
#define REST_PERSISTENT	 "persistent"
#define REST_SELF	 "self"

/* Of a frontend as the kernel is to have it, and its words for the flags; besides fields of a pool. */
#define REST_FLAGS	       "flags"
#define REST_DESTINATION_COUNT "destinationCount"
#define REST_APPLIED_FIELD     "applied"

/* Of the counts; besides names of fields. */
#define REST_WITH_PROBLEMS "withProblems"
#define REST_WITH_DRAINING "withDraining"
#define REST_NAME	   "name"
#define REST_NAMESPACES	   "namespaces"

/* Of an event; its types. */
#define REST_AT		 "at"
#define REST_MEMBER	 "member"
#define REST_FROM	 "from"
#define REST_TO		 "to"
#define REST_KIND_MEMBER "member-health"
#define REST_KIND_POOL	 "pool-health"
#define REST_KIND_SYNC	 "sync"

/* Of a watch: its parameter (besides `since`), and its events. */
#define REST_RESOURCES	       "resources"
#define REST_EVENT_POOL	       "pool.upsert"
#define REST_EVENT_POOL_GONE   "pool.delete"
#define REST_EVENT_MEMBER      "member.health"
#define REST_EVENT_MEMBER_GONE "member.delete"
#define REST_EVENT_RESET       "reset"
#define REST_EVENT_BOOKMARK    "bookmark"

/* Of whoami. */
#define REST_USER	   "user"
#define REST_UID	   "uid"
#define REST_GID	   "gid"
#define REST_VIA	   "via"
#define REST_ROLES	   "roles"
#define REST_WRITE_ENABLED "writeEnabled"
#define REST_WRITES_TO	   "writesTo" /* "store", "kubernetes": there with the caller's own token */
#define REST_CAN	   "can"
#define REST_CAN_CREATE	   "create"
#define REST_CAN_EDIT	   "edit"
#define REST_CAN_DELETE	   "delete"
#define REST_CAN_DRAIN	   "drain"
#define REST_CAN_WEIGHT	   "weight"
#define REST_CAN_ROLLBACK  "rollback"
#define REST_CAN_PROBE	   "probe"
#define REST_CAN_ADDRESSES "addresses"

/* Of a token; besides names of fields. */
#define REST_TOKEN_FIELD "token"
#define REST_CREATED_AT	 "createdAt"

/* Of many changes at a time, and of what became of them; besides names of fields. */
#define REST_OPS	    "ops"
#define REST_ATOMIC	    "atomic"
#define REST_FILTER	    "filter"
#define REST_OF		    "of"
#define REST_EXPECTED_COUNT "expectedCount"
#define REST_PATCH	    "patch"
#define REST_WEIGHTS	    "weights"
#define REST_ALL_MEMBERS    "*" /* for a member's id there */
#define REST_COUNT	    "count"
#define REST_RESULTS	    "results"
#define REST_ANSWER	    "answer"
#define REST_PROBLEM_FIELD  "problem"
#define REST_RESULT_REFUSED "refused"

/* Of a backup, and of a restore; besides names of fields. */
#define REST_BYTES "bytes"
#define REST_KEPT  "kept"

/* Of an error (RFC 9457); `code` is the stable one. */
#define REST_TITLE	  "title"
#define REST_ERROR_STATUS "status"
#define REST_INSTANCE	  "instance"
#define REST_CODE	  "code"
#define REST_REQUEST_ID	  "requestId"

/* Words: health of a pool, state of a member, why a member is as it is. */
#define REST_HEALTH_UP		"up"
#define REST_HEALTH_DEGRADED	"degraded"
#define REST_HEALTH_DOWN	"down"
#define REST_HEALTH_UNMONITORED "unmonitored"

#define REST_REASON_UNHEALTHY	"unhealthy"
#define REST_REASON_TERMINATING "terminating"
#define REST_REASON_REMOVED	"removed"
#define REST_REASON_UNPROVEN	"unproven"
#define REST_REASON_FAIL_OPEN	"fail-open"
#define REST_REASON_INHERITED	"inherited"
#define REST_REASON_WEIGHT_ZERO "weight-zero"
#define REST_REASON_SATURATED	"saturated"
#define REST_REASON_ROLE	"role"
#define REST_REASON_STANDBY	"standby"
#define REST_REASON_HELD	"held-down"
#define REST_REASON_SLOW_START	"slow-start"
#define REST_REASON_MASS	"mass-failure"
#define REST_REASON_DRAINING	"draining"
#define REST_REASON_DEGRADED	"degraded"

#endif

#!/bin/bash
# What people and editors do to a directory of manifests, and what of it reaches
# the kernel.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

topology_up directory
agent_configure "$quick_checks"
service one 30001 'health-check-type: none' <<<'10.100.1.11 80' | place one.yaml
agent_start
check "it is synced" agent_synced
check "a pool is in the kernel" has_weight "$vip:30001" 10.100.1.11:80 1

printf '%s\n' '10.100.1.11 80' '10.100.1.12 8080' |
	service one 30001 'health-check-type: none' | place one.yaml
check "a member added by renaming a new file into place" \
	wait_for 5 has_weight "$vip:30001" 10.100.1.12:8080 1

service one 30001 'health-check-type: none' 'weight: "5"' <<<'10.100.1.11 80' >"$run/pools/one.yaml"
check "a change written in place" wait_for 5 has_weight "$vip:30001" 10.100.1.11:80 5
check "a member removed, without connections, is gone" \
	wait_for 5 has_weight "$vip:30001" 10.100.1.12:8080 ""

service two 30002 'health-check-type: none' <<<'10.100.1.21 80' >"$run/two"
cp "$run/two" "$run/pools/.two.yaml.swp"
cp "$run/two" "$run/pools/two.yaml~"
cp "$run/two" "$run/pools/#two.yaml#"
cp "$run/two" "$run/pools/.hidden.yaml"
service three 30003 'health-check-type: none' <<<'10.100.1.31 80' | place three.yaml
check "another file is read" wait_for 5 has_weight "$vip:30003" 10.100.1.31:80 1
equal "editors' temporary and hidden files are not" "" "$(weight "$vip:30002" 10.100.1.21:80)"

broken() { ctl get problems | grep 'three\.yaml:4'; }
printf 'apiVersion: v1\nkind: Service\nmetadata: {name: three\n' >"$run/pools/three.yaml"
check "a broken file is reported with file and line" wait_for 5 broken
check "its last good state is kept" has_weight "$vip:30003" 10.100.1.31:80 1
service one 30001 'health-check-type: none' 'weight: "7"' <<<'10.100.1.11 80' | place one.yaml
check "and hinders no other file" wait_for 5 has_weight "$vip:30001" 10.100.1.11:80 7
service three 30003 'health-check-type: none' <<<'10.100.1.33 80' | place three.yaml
check "mended, it counts again" wait_for 5 has_weight "$vip:30003" 10.100.1.33:80 1
check "and the report is gone" wait_for 5 eval '! broken'

clash() { ctl get problems | grep 30001; }
service zwei 30001 'health-check-type: none' <<<'10.100.1.22 80' | place zwei.yaml
check "a second claim on a frontend is reported" wait_for 5 clash
check "the first one keeps it" has_weight "$vip:30001" 10.100.1.11:80 7
equal "the second does not get in" "" "$(weight "$vip:30001" 10.100.1.22:80)"

rm "$run/pools/one.yaml"
check "the first one gone, the second has it" wait_for 5 has_weight "$vip:30001" 10.100.1.22:80 1
rm "$run/pools/zwei.yaml" "$run/pools/three.yaml"
empty() { [ -z "$(table)" ]; }
check "all files gone, nothing is left in the kernel" wait_for 10 empty
check "and it is synced" agent_synced
tap_done

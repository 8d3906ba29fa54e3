// SPDX-License-Identifier: GPL-2.0-or-later
// Why a member is as it is, in words.
import { duration, t, word } from './i18n.js';

function probeWords(check) {
	const what = word('probe', check.reason);

	return check.detail ? what + ' ' + check.detail : what;
}

/** The reasons that core has, then what the last probe found where that adds something. */
export function whyWords(member) {
	const parts = member.reasons.map((r) => word('reason', r));
	const left = member.reasons.includes('held-down') && (Date.parse(member.lastCheck?.heldUntil) - Date.now()) / 1000;

	if (left > 0)
		parts.push(t('reason.heldUntil', { in: duration(left) }));

	if (member.removeAt)
		parts.push(t('reason.removeAt', { in: duration((Date.parse(member.removeAt) - Date.now()) / 1000) }));
	if (member.lastCheck && member.lastCheck.reason !== 'ok')
		parts.push(probeWords(member.lastCheck));
	return parts.join('; ');
}

/** What a member's reasons are called by the interface, and what the last probe's finding means and asks for. */
export function aboutWords(member) {
	const found = member.lastCheck?.reason;

	return [member.reasons.join(', '), found && found !== 'ok' && word('about', found)].filter(Boolean).join('\n');
}

/** A time that a check is given in milliseconds. */
export function span(n) {
	return n % 1000 ? t('unit.ms', { n }) : duration(n / 1000);
}

/** "http /healthz 200-399 every 5 s, ..." */
export function checkWords(check) {
	if (check.type === 'none')
		return t('check.none');
	const what = [check.type, check.tls === 'required' && 'TLS', check.port ? ':' + check.port : '', check.path, check.service, check.host, check.serverName, check.expect,
		check.match && '"' + check.match + '"', check.role && check.role !== 'any' && check.role,
		check.dnsName && check.dnsName + ' ' + check.dnsType, check.dnsRcodes];

	const words = t('check.words', {
		what: what.filter(Boolean).join(' '),
		interval: span(check.intervalMilliseconds),
		timeout: span(check.timeoutMilliseconds),
		rise: check.rise,
		fall: check.fall,
	});

	return [
		words,
		check.drainStatus && t('check.drain', { statuses: check.drainStatus }),
		check.degradedStatus && t('check.degraded', { statuses: check.degradedStatus }),
		check.via === 'vip' && t('check.via'),
		check.reuse > 1 && t('check.reuse', { n: check.reuse }),
		check.holdDownSeconds && t('check.held', { hold: duration(check.holdDownSeconds) }),
	]
		.filter(Boolean)
		.join(', ');
}

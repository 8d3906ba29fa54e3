// SPDX-License-Identifier: GPL-2.0-or-later
// Somebody else was faster: what each of both wants, and what was there before.
import { html } from './html.js';
import { t, time } from './i18n.js';
import { flat as flatPool } from './spec.js';

function label(key) {
	const [group, ...rest] = key.split('.');

	return group === 'port' && !rest.length ? t('col.port') : group === 'members' ? t('col.member') + ' ' + rest.join('.') : rest.join('.') || group;
}

function cell(v, base) {
	return html`<td class=${v === base ? '' : 'differs'}>${v === undefined ? html`<span class="dim">–</span>` : html`<code>${v}</code>`}</td>`;
}

/** Which of their names differ: in any of three. */
function names(base, theirs, mine) {
	return [...new Set([base, theirs, mine].flatMap(Object.keys))].filter((k) => base[k] !== theirs[k] || base[k] !== mine[k]);
}

/**
 * Props: base, theirs (specs; theirs undefined: removed), mine (flat), who { user, at, action },
 * onTheirs, onMine, onOver; those that make no sense here are absent. flat(spec): where it is none of a pool.
 */
export function Conflict({ base, theirs, mine, who, flat = flatPool, onTheirs, onMine, onOver }) {
	const a = flat(base), b = flat(theirs);
	const rows = names(a, b, mine);

	return html`<div class="conflict" tabindex="-1">
		<p role="alert"><span class="badge b-warning"><span aria-hidden="true">▲</span></span> ${theirs
			? t('conflict.changed', { user: who?.user || '?', at: time(who?.at) || '?' })
			: t('conflict.removed')}</p>
		${theirs && rows.length > 0 && html`<div class="scrolls"><table class="plain three"><thead><tr>
			${['field', 'mine', 'theirs', 'base'].map((c) => html`<th key=${c} scope="col">${t('conflict.' + c)}</th>`)}</tr></thead>
			<tbody>${rows.map((k) => html`<tr key=${k}><th scope="row">${label(k)}</th>${cell(mine[k], a[k])}${cell(b[k], a[k])}
				<td>${a[k] === undefined ? html`<span class="dim">–</span>` : html`<code>${a[k]}</code>`}</td></tr>`)}</tbody></table></div>`}
		${theirs && !rows.length && html`<p class="dim">${t('conflict.nothing')}</p>`}
		<dl class="choices">
			${[['theirs', onTheirs], ['top', onMine], ['over', onOver]].filter(([, go]) => go).map(([what, go]) =>
				html`<div key=${what}><dt><button type="button" onClick=${go}>${t('conflict.take.' + what)}</button></dt>
					<dd>${t('conflict.hint.' + what)}</dd></div>`)}</dl></div>`;
}

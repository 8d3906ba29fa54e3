// SPDX-License-Identifier: GPL-2.0-or-later
// What stands around every screen: the head with its views and choices, and the status bar.
import { html } from './html.js';
import { LANGUAGES, number, t, time } from './i18n.js';
import { THEMES } from './theme.js';
import { token } from './token.js';
import { makeHash } from './url.js';
import { readOnlyWords } from './why_not.js';

const LANGUAGE_NAMES = { en: 'English', 'zh-CN': '中文' };

function link(view, current, params, n) {
	return html`<a href=${makeHash(view, params)} aria-current=${view === current ? 'page' : undefined}>${t('nav.' + view)}${n
		!== undefined && html` <span class="n">${number(n)}</span>`}</a>`;
}

function select(label, value, words, text, onChange) {
	return html`<label><span class="hidden">${label}</span><select title=${label} value=${value}
		onChange=${(e) => onChange(e.target.value)}>${words.map((w) => html`<option key=${w} value=${w}>${text(w)}</option>`)}</select></label>`;
}

/** Props: view, kept (parameters of links), counts, language, theme, onLanguage, onTheme, onHelp. */
export function Head(p) {
	const { counts } = p;

	return html`<header><a class="brand" href=${makeHash('pools', p.kept)}><img src="/page/icon.svg" alt="" width="20" height="20" /> Parasaus</a>
		<nav aria-label=${t('nav')}>
			${link('pools', p.view, p.kept, counts?.pools.total)}${link('problems', p.view, p.kept, counts?.problems.total)}
			${['events', 'addresses', 'agent', 'record', 'kernel'].map((view) => link(view, p.view, p.kept))}</nav>
		<span class="space"></span>
		${select(t('language'), p.language, LANGUAGES, (l) => LANGUAGE_NAMES[l], p.onLanguage)}
		${select(t('theme'), p.theme, THEMES, (x) => t('theme.' + x), p.onTheme)}
		<button type="button" title=${t('help')} aria-label=${t('help')} onClick=${p.onHelp}>?</button></header>`;
}

/** What was so when the agent was last heard of has no colour any more. */
function kernel(status, stale) {
	if (stale)
		return ['dim', t(status.synced ? 'bar.synced' : 'bar.pending')];
	if (!status.ready)
		return ['warn', t('bar.notready')];
	return status.synced ? ['good', t('bar.synced')] : ['warn', t('bar.pending')];
}

/** Props: live { name, since }, status, whoami, onForget, onToken (where it was not given and nothing goes without). */
export function Bar({ live, status, whoami, onForget, onToken }) {
	const tone = { live: 'good', connecting: 'dim', reconnecting: 'warn', polling: 'warn', stale: 'bad' }[live.name];
	const sources = status?.sources || [], complete = sources.filter((s) => s.complete).length;
	const [kernelTone, kernelText] = status ? kernel(status, live.name === 'stale') : [];

	return html`<footer><span role="status" class=${'live t-' + tone}><span class="sign" aria-hidden="true">●</span> ${t('live.' + live.name,
			live.name === 'stale' ? { at: time(live.since) } : {})}</span>
		${status && html`<span class=${'t-' + kernelTone}>${kernelText}</span>
			${sources.length > 0 && html`<span class=${complete < sources.length ? 't-warn' : ''}>${t('bar.sources',
				{ n: complete, m: sources.length })}</span>`}`}
		<span class="space"></span>
		${whoami && !whoami.writeEnabled && html`<span title=${readOnlyWords(whoami)}>${t('bar.readonly')}</span>`}
		${whoami?.writeEnabled && html`<span>${t('bar.user', { user: whoami.user || '?' })}</span>`}
		${onToken && html`<button type="button" class="quiet" onClick=${onToken}>${t('token.give')}</button>`}
		${token() && html`<button type="button" class="quiet" onClick=${onForget}>${t('token.forget')}</button>`}
		${status && html`<span>${t('bar.node', { node: status.node })}</span><span>${status.version}</span>`}</footer>`;
}

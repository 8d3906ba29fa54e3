// SPDX-License-Identifier: GPL-2.0-or-later
// What is shown, as a command that shows it in a terminal.
import { target, TYPES } from './api.js';
import { Component, html } from './html.js';
import { t } from './i18n.js';

const SOCKET = '/run/parasaus/api.sock';
const FLAGS = { q: '-q', namespace: '-n', health: '--health', sort: '--sort-by' };

export function quote(s) {
	return /^[\w@%+=:,./-]+$/.test(s) ? s : "'" + s.replaceAll("'", "'\\''") + "'";
}

/** parasausctl where it has all of these filters, else curl, which has every one. */
export function listCommand(what, filters) {
	const given = Object.entries(filters).filter(([, v]) => v);

	if (given.some(([name]) => !FLAGS[name]))
		return 'curl --unix-socket ' + SOCKET + ' ' + quote('http://localhost' + target(what, filters));
	// A value that begins with a hyphen is no option: --sort-by=-up.
	return ['parasausctl get ' + what, ...given.map(([name, v]) =>
		FLAGS[name] + (FLAGS[name].startsWith('--') ? '=' : ' ') + quote(v))].join(' ');
}

export function poolCommand(id) {
	return 'parasausctl describe pool ' + quote(id);
}

/** A write as send() has it. */
export function writeCommand({ method, path, body, etag }, reason = '') {
	const words = ['curl', '--unix-socket', SOCKET, '-X', method];

	if (etag)
		words.push('-H', 'If-Match: ' + etag);
	if (body)
		words.push('-H', 'Content-Type: ' + TYPES[method], '-d', JSON.stringify(body));
	return [...words, 'http://localhost' + target(path, { reason: reason.trim() })].map(quote).join(' ');
}

/** A write that parasausctl has a command for. */
export function command(words, reason = '') {
	return ['parasausctl', ...words, ...(reason.trim() ? ['--reason', reason.trim()] : [])].map(quote).join(' ');
}

/** drain, undrain, weight of a member. */
export function memberCommand(verb, pool, member, more, reason) {
	return command([verb, pool.namespace + '/' + pool.service, member, ...more], reason);
}

/** Copies; where the browser does not let it, the text is there to be copied by hand. */
export class Copy extends Component {
	state = { shown: false, copied: false };

	copy = async () => {
		let copied = true;

		try {
			await navigator.clipboard.writeText(this.props.command);
		} catch {
			copied = false;
		}
		this.setState({ shown: true, copied });
		clearTimeout(this.timer);
		if (copied)
			this.timer = setTimeout(() => this.setState({ shown: false }), 4000);
	};

	componentWillUnmount() {
		clearTimeout(this.timer);
	}

	render({ command }, { shown, copied }) {
		return html`<span class="copy"><button type="button" onClick=${this.copy}>${t('copy')}</button>
			${shown && html`<span class="command"><input readonly aria-label=${t('copy.command')} value=${command}
				onFocus=${(e) => e.target.select()} size=${Math.min(command.length, 70)} />
				<span role="status">${copied ? '✓ ' + t('copied') : ''}</span></span>`}</span>`;
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
// Asks who one is, when that is first needed: to write, or even to read.
import { whoWith } from './api.js';
import { Copy } from './command.js';
import { Dialog, field, named } from './dialog.js';
import { Component, html } from './html.js';
import { t } from './i18n.js';
import { setToken } from './token.js';

const HOW = 'parasausctl token create NAME', HOW_CLUSTER = 'kubectl create token NAME';

/** Props: reading (that is all that is asked for), expired, cluster (it has to be a token of the cluster), onDone(one may do it). */
export class TokenDialog extends Component {
	state = { text: '', keep: false };

	submit = async (e) => {
		const text = this.state.text.trim();

		e.preventDefault();
		if (!text || this.state.busy)
			return;
		this.setState({ busy: true, error: undefined });
		try {
			const whoami = await whoWith(text);

			if (!whoami.writeEnabled && !this.props.reading) {
				this.setState({ busy: false, error: t('token.viewer', { user: whoami.user || '?' }) });
				return;
			}
			setToken(text, this.state.keep);
			this.may = true;
			this.dialog.shut();
		} catch (error) {
			this.setState({ busy: false, error: error.status === 401 ? t('token.unknown') : error.message });
		}
	};

	render({ reading, expired, cluster, onDone }, { text, keep, busy, error }) {
		const ways = cluster ? [HOW_CLUSTER] : reading ? [HOW, HOW_CLUSTER] : [HOW];
		const why = reading ? 'token.read' : expired ? 'token.expired' : cluster ? 'token.why.cluster' : 'token.why';

		return html`<${Dialog} title=${t('token.title')} self=${(d) => { this.dialog = d; }} onClose=${() => onDone(!!this.may)}>
			<form onSubmit=${this.submit}>
				<p>${t(why)}</p>
				${field('token', t('token'), html`<input type="password" data-first autocomplete="off" spellcheck=${false} value=${text}
					...${named('token', error)} onInput=${(e) => this.setState({ text: e.target.value })} />`, error)}
				<p><label><input type="checkbox" checked=${keep} onChange=${(e) => this.setState({ keep: e.target.checked })}
					/> ${t('token.keep')}</label></p>
				<dl class="how">${ways.map((how) => html`<div key=${how}><dt>${t(how === HOW ? 'token.how' : reading ? 'token.how.kubernetes'
					: 'token.how.cluster')}</dt><dd><code>${how}</code></dd></div>`)}</dl>
				<div class="sheet-foot"><${Copy} command=${ways[0]} /><span class="space"></span>
					<button type="button" onClick=${() => this.dialog.shut()}>${t('cancel')}</button>
					<button class="main" disabled=${busy}>${t('token.use')}</button></div>
			</form></${Dialog}>`;
	}
}

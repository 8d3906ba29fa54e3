// SPDX-License-Identifier: GPL-2.0-or-later
// Every write of the page goes this way: what it would change is shown, then it is done, with a reason.
import { send } from './api.js';
import { Copy, writeCommand } from './command.js';
import { Conflict } from './conflict.js';
import { Dialog, field, named } from './dialog.js';
import { difference, kernelPlan, words } from './difference.js';
import { Component, html } from './html.js';
import { t } from './i18n.js';
import { loadSpec, withBefore } from './spec.js';

const REASON_MAX = 500;

/** Which field of ours a finding is about: its pointer says so, else its text begins with where. */
function fieldOf(pointer, detail) {
	const [, annotation] = /parasaus\.io(?:\/|~1)([\w-]+)/.exec(pointer + ' ' + detail) || [];

	if (annotation)
		return 'settings.' + annotation;
	const [first, second] = pointer.startsWith('/') ? words(pointer.replace(/^\/spec\//, '/')) : /^\/?([\w-]+)(?:[./]([\w-]+))?/.exec(detail.replace(/^spec\./, ''))?.slice(1) || [];

	return second ? first + '.' + second : first;
}

/** An error's findings as { field: text }; what belongs to none of `fields` stands together under ''. */
function sortFindings(error, fields) {
	const out = {};
	const put = (at, text) => { out[at] = out[at] ? out[at] + '; ' + text : text; };

	for (const { pointer, detail } of error?.problem?.errors || []) {
		const at = fieldOf(pointer || '', detail), known = [at, at?.split('.')[0]].find((f) => fields.includes(f));

		put(known || '', known ? detail : [pointer, detail].filter(Boolean).join(': '));
	}
	if (error && !Object.keys(out).length)
		out[''] = error.message;
	return out;
}

/**
 * Props: title, fields(findings) and names of those fields, request() as send() has it (undefined: not yet),
 * verb, danger, atOnce (the preview needs no asking), command(request, reason), pool (an id),
 * base { spec, etag }, mine() (flat, of a conflict), rebase(base, how) where how is theirs, top or over,
 * self(this), allow() (asks for another token), onDone(answer, request), onClose, more (buttons of its own).
 * What is no pool brings along: reload() of its base, flat(spec), before(item) of a difference. For what is done
 * to many at once: shape(answer) as it is shown, show(preview) in place of a difference, holds (true: not to be done yet), onFail(error),
 * after(answer): what is shown once it is done, in place of closing.
 */
export class Write extends Component {
	state = { reason: this.props.reason || '' };

	componentDidMount() {
		this.props.self?.(this);
		if (this.props.atOnce)
			this.attempt(true);
	}

	/** What had focus went with what was shown before. */
	componentDidUpdate(_, was) {
		if (!was.conflict !== !this.state.conflict)
			(document.querySelector('.conflict') || document.querySelector('.sheet form input, .sheet form button'))?.focus();
		if (!was.done && this.state.done)
			document.querySelector('.sheet-foot .main')?.focus();
	}

	shut(then) {
		this.dialog.shut(then);
	}

	/** Once what was looked at is no longer what is asked for, it is to be looked at again. */
	isPreviewed(request) {
		return !!this.state.preview && this.state.previewed === JSON.stringify(request);
	}

	submit = (e) => {
		e.preventDefault();
		this.attempt(!this.isPreviewed(this.props.request()));
	};

	async attempt(dry) {
		const request = this.props.request();

		if (!request)
			return;
		if (this.busy) { // what was chosen meanwhile is looked at next
			this.again = dry || this.again;
			return;
		}
		this.busy = true;
		this.setState({ error: undefined, saving: true });
		try {
			const answer = await send(request, { dryRun: dry ? 'all' : undefined, reason: this.state.reason.trim() });

			if (dry) {
				const body = this.props.shape ? this.props.shape(answer.body) : answer.body, given = body.results || body.items || [body];
				const items = this.props.before ? given.map((x) => ({ ...x, before: this.props.before(x) })) : await withBefore(given);

				if (body.results) // the first of many stands for all
					await this.example(given);
				this.setState({ preview: { ...body, items }, previewed: JSON.stringify(request) },
					() => document.querySelector('.preview')?.scrollIntoView({ block: 'nearest' }));
			} else {
				this.props.onDone(answer, request);
				if (this.props.after)
					this.setState({ done: answer.body });
				else
					this.shut();
			}
		} catch (error) {
			await this.fail(error, dry);
		}
		this.busy = false;
		this.setState({ saving: false });
		if (this.again !== undefined) {
			const again = this.again;

			this.again = undefined;
			this.attempt(again);
		}
	}

	async example(results) {
		const one = results.find((r) => r.items?.length);

		if (one)
			one.items = await withBefore(one.items);
	}

	async fail(error, dry) {
		if (error.status === 401 && await this.props.allow(true)) {
			this.again = dry;
		} else if (error.status === 412 && this.props.base) {
			const now = await (this.props.reload?.() ?? loadSpec(this.props.pool)).catch(() => undefined);

			this.setState({ conflict: { now, who: error.problem.current } });
		} else {
			this.setState({ error, preview: undefined });
			this.props.onFail?.(error);
		}
	}

	settle(how) {
		const { now } = this.state.conflict;

		this.setState({ conflict: undefined, preview: undefined, error: undefined });
		if (how === 'theirs' && this.props.atOnce)
			this.shut();
		else
			this.props.rebase(now, how, () => (how !== 'theirs' || this.props.atOnce) && this.attempt(true));
	}

	conflict() {
		const { conflict: { now, who } } = this.state, { base, mine, several } = this.props;

		return html`<${Conflict} base=${base.spec} theirs=${now?.spec} mine=${mine()} who=${who} flat=${this.props.flat}
			onTheirs=${() => now ? this.settle('theirs') : this.shut()} onMine=${now && (() => this.settle('top'))}
			onOver=${now && several && (() => this.settle('over'))} />
			<div class="sheet-foot"><span class="space"></span>
				<button type="button" onClick=${() => this.shut()}>${t('cancel')}</button></div>`;
	}

	foot(request, ready) {
		const { verb, danger, atOnce, more, command, holds } = this.props, { saving, reason, preview } = this.state;
		const idle = ready && (holds || preview.items.every((x) => x.changed === false));

		return html`<div class="sheet-foot">${request && html`<${Copy} command=${command ? command(request, reason) : writeCommand(request, reason)} />`}
			${more}<span class="space"></span>
			<button type="button" data-first=${atOnce && danger ? '' : undefined} onClick=${() => this.shut()}>${t('cancel')}</button>
			<button class=${danger ? 'main danger' : 'main'} disabled=${!request || saving || idle}>${ready || atOnce ? verb : t('preview')}</button></div>`;
	}

	preview(ready) {
		const { preview } = this.state;

		if (!ready)
			return null;
		return html`<section class="preview" aria-label=${t('preview.title')}><h3>${t('preview.title')}</h3>
			${preview.warnings?.map((w, i) => html`<p key=${i} class="warning"><span class="badge b-warning"><span aria-hidden="true">▲</span></span
				> ${w.detail}</p>`)}
			${this.props.show ? this.props.show(preview) : difference(preview.items)}
			${kernelPlan(preview)}</section>`;
	}

	done() {
		const { after, onUndo } = this.props;

		return html`<div class="sheet-body" role="status">${after(this.state.done)}</div>
			<div class="sheet-foot"><span class="space"></span>
				${onUndo && html`<button type="button" onClick=${() => this.shut(onUndo)}>${t('undo')}</button>`}
				<button type="button" class="main" onClick=${() => this.shut()}>${t('close')}</button></div>`;
	}

	render({ title, fields, names = [], atOnce, danger, onClose, request: ask }, { reason, error, conflict, saving, done }) {
		const request = ask(), ready = this.isPreviewed(request), found = sortFindings(error, names);

		return html`<${Dialog} title=${conflict ? t('conflict.title') : title} size="wide" onClose=${onClose} self=${(d) => { this.dialog = d; }}>
			${done ? this.done() : conflict ? this.conflict() : html`<form onSubmit=${this.submit} aria-busy=${saving ? 'true' : 'false'}>
				<div class="sheet-body">
					${found[''] && html`<p class="failure" role="alert"><span class="badge b-error"><span aria-hidden="true">✕</span></span
						> ${found['']}${error.requestId && html` <span class="dim">${t('request', { id: error.requestId })}</span>`}</p>`}
					${fields(found)}
					${this.preview(ready)}
				</div>
				${field('reason', t('reason'), html`<input ...${named('reason')} maxlength=${REASON_MAX} value=${reason}
					data-first=${atOnce && !danger ? '' : undefined} placeholder=${t('reason.hint')} onInput=${(e) => this.setState({ reason: e.target.value })} />`)}
				<p role="status" class="hidden">${ready ? t('preview.ready') : ''}</p>
				${this.foot(request, ready)}</form>`}</${Dialog}>`;
	}
}

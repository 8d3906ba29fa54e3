// SPDX-License-Identifier: GPL-2.0-or-later
// The whole page: what the URL says is shown, and what is true of every screen.
import { get, onUnknown } from './api.js';
import { Bar, Head } from './frame.js';
import { Component, html } from './html.js';
import { chooseLanguage, setLanguage, t } from './i18n.js';
import { isForPage, lettersAreKeys } from './keys.js';
import { later, loadAll } from './later.js';
import { Live } from './live.js';
import { Notice } from './notes.js';
import { Pools } from './pools.js';
import { remember, remembered, setTheme, THEMES } from './theme.js';
import { dropToken, onToken, token } from './token.js';
import { kept, makeHash, parseHash, setHash } from './url.js';
import { readOnlyWords, WhyNot } from './why_not.js';

const SCREENS = {
	pools: Pools,
	problems: later(() => import('./problems.js'), 'Problems'),
	events: later(() => import('./events.js'), 'Events'),
	addresses: later(() => import('./address_pools.js'), 'AddressPools'),
	agent: later(() => import('./agent.js'), 'Agent'),
	record: later(() => import('./operations.js'), 'Operations'),
	kernel: later(() => import('./kernel.js'), 'Kernel'),
};
const Help = later(() => import('./help.js'), 'Help');
const TokenDialog = later(() => import('./token_dialog.js'), 'TokenDialog');
const SUMMARY_MS = 1000; // between two answers about the whole, at most one
const IDLE_MS = 10000;

export class App extends Component {
	state = { ...parseHash(location.hash), live: { name: 'connecting' } };
	listeners = new Set();

	componentDidMount() {
		setTimeout(() => this.setState({ framed: true })); // the screen in a task of its own, too
		addEventListener('hashchange', this.arrive);
		addEventListener('popstate', this.arrive);
		addEventListener('keydown', this.onKey);
		this.live = new Live({
			change: (frames) => this.tell(frames),
			reset: () => this.tell(undefined),
			state: (name, since) => this.setState({ live: { name, since } }),
		});
		this.live.start();
		this.summarise().then(loadAll);
		setInterval(() => document.hidden || this.summarise(), IDLE_MS);
		onToken(() => this.askWho().catch(() => {}));
		onUnknown(() => this.askToRead());
		this.askWho().catch(() => {});
	}

	// --- who may do what ---------------------------------------------------------

	async askWho() {
		const whoami = await get('whoami');

		this.setState({ whoami });
		return whoami;
	}

	/**
	 * May one write? Asks for a token where that would help, else says why not. `expired`: the last one was
	 * refused; `cluster`: it takes one of the cluster, whatever else one may do.
	 */
	allow = async (expired = false, cluster = false) => {
		const whoami = await this.askWho().catch((e) => {
			if (e.status !== 401)
				throw e;
		});

		if (!whoami || (whoami.writeEnabled && !cluster)) // without one, who may read is asked for already
			return !!whoami;
		return new Promise((done) => this.setState({ asking: { whoami, expired, cluster, done } }));
	};

	/** Where not even reading goes without saying who one is: asked once, for all that waits for it. */
	askToRead() {
		if (this.state.asking || this.declined)
			return;
		this.setState({ asking: { reading: true, done: (may) => {
			this.declined = !may;
			this.tell(undefined);
		} } });
	}

	asking({ whoami, reading, expired, cluster, done }) {
		const end = (may) => {
			this.setState({ asking: undefined });
			done(may);
		};

		if (reading)
			return html`<${TokenDialog} reading=${true} onDone=${end} />`;
		const forCluster = cluster || !whoami.writesTo?.includes('store');

		return cluster || whoami.reason === 'token-needed' ? html`<${TokenDialog} expired=${expired} cluster=${forCluster} onDone=${end} />`
			: html`<${WhyNot} title=${t('bar.readonly')} text=${readOnlyWords(whoami)} onClose=${() => end(false)} />`;
	}

	/** { text, undo() }: what was done, until something else is. */
	note = (notice) => {
		this.setState({ notice });
		this.summariseSoon();
	};

	undo() {
		const { notice } = this.state;

		if (notice?.undo)
			notice.undo();
	}

	// --- the URL -----------------------------------------------------------------

	arrive = () => {
		this.setState(parseHash(location.hash));
	};

	/** Some parameters become others; `push`: one can go back to what was before. */
	set = (changes, push) => {
		const params = { ...this.state.params, ...changes };

		this.setState({ params });
		this.state.params = params; // for who sets two before either is shown
		setHash(this.state.view, params, push);
	};

	/** Language and theme: of the URL, else as chosen before, else as the browser has them. */
	choose({ view, params }) {
		const language = chooseLanguage(params.lang, remembered('lang'));
		const theme = [params.theme, remembered('theme')].find((x) => THEMES.includes(x)) || 'auto';

		setLanguage(language);
		setTheme(theme);
		document.title = t('title.' + view) + ' – Parasaus';
		return { language, theme };
	}

	prefer(name, value) {
		remember(name, value);
		this.set({ [name]: undefined });
	}

	// --- news ----------------------------------------------------------------------

	/** Undefined: anything may have changed. */
	tell(frames) {
		for (const [change, reset] of this.listeners)
			frames ? change(frames) : reset();
		this.summariseSoon();
	}

	subscribe = (change, reset) => {
		const both = [change, reset];

		this.listeners.add(both);
		return () => this.listeners.delete(both);
	};

	summariseSoon() {
		this.soon ??= setTimeout(() => {
			this.soon = undefined;
			this.summarise();
		}, Math.max(100, SUMMARY_MS - (Date.now() - (this.summarised || 0))));
	}

	async summarise() {
		this.summarised = Date.now();
		try {
			const [counts, status] = await Promise.all([get('counts'), get('status')]);

			this.setState({ counts, status });
		} catch { /* the status bar tells how old it is */ }
	}

	// --- keys ------------------------------------------------------------------------

	onKey = (e) => {
		const views = Object.keys(SCREENS);

		if (!lettersAreKeys() || !isForPage(e))
			return;
		if (e.key === '/') {
			document.getElementById('search')?.focus();
			e.preventDefault();
		} else if (e.key === '?') {
			this.setState({ help: true });
		} else if (e.key === 'r') {
			this.tell(undefined);
		} else if (e.key === 'u') {
			this.undo();
		} else if (e.key >= '1' && e.key <= String(views.length)) {
			location.hash = makeHash(views[e.key - 1], kept(this.state.params));
		}
	};

	render(_, state) {
		const { view, params, counts, status, whoami, live, help, asking, notice, framed } = state;
		const { language, theme } = this.choose(state);

		return html`<${Head} view=${view} kept=${kept(params)} counts=${counts} language=${language} theme=${theme}
				onLanguage=${(l) => this.prefer('lang', l)} onTheme=${(x) => this.prefer('theme', x)}
				onHelp=${() => this.setState({ help: true })} />
			<main><h1 class="hidden">${t('title.' + view)}</h1>${framed && html`<${SCREENS[view]} key=${view} params=${params} set=${this.set}
				counts=${counts} status=${status} whoami=${whoami} subscribe=${this.subscribe}
				allow=${this.allow} note=${this.note} />`}</main>
			<${Notice} notice=${notice} onUndo=${() => this.undo()} onClose=${() => this.note(undefined)} />
			<${Bar} live=${live} status=${status} whoami=${whoami} onForget=${() => dropToken(token())}
				onToken=${this.declined && (() => { this.declined = false; this.askToRead(); })} />
			${asking && this.asking(asking)}
			${help && html`<${Help} onClose=${() => this.setState({ help: false })} />`}`;
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
// A table of any length, of which only the rows in sight are there. All rows have one height, but for
// the panel below the one that is open.
import { Component, html } from './html.js';
import { lettersAreKeys } from './keys.js';

export const ROW = 30; // pixels; .grid tbody td in style.css has the same
const OVER = 6; // rows beyond what is in sight

/**
 * Props: name, columns [{ key, label, sort, title, cell(row, i, tab) }], total, rowAt(i), want(first, last),
 * self(this), list (another number: another list), sort, onSort(words), at, onAt(i), rowClass(row);
 * where rows open: open (an id), onOpen(id or undefined), panel(row), expandLabel(row). A cell that holds
 * something to press has class "acts", and is given 0 or -1 for its tabindex: one row's can be tabbed to.
 */
export class Grid extends Component {
	state = { top: 0, height: 600, active: 0, panel: 0 };
	openAt = -1; // the row that is open, once it was seen
	panel = null; // its element
	observed = null;

	componentDidMount() {
		this.props.self?.(this);
		this.sizes = new ResizeObserver(() => this.measure()); // tells of what it begins with, too, once that is laid out
		this.sizes.observe(this.scroller);
		this.restore = this.props.at; // once there are rows
	}

	componentWillUnmount() {
		this.sizes.disconnect();
		clearTimeout(this.telling);
	}

	measure() {
		const panel = this.panel ? this.panel.offsetHeight : 0;
		const height = this.scroller.clientHeight;

		if (height !== this.state.height || panel !== this.state.panel)
			this.setState({ height, panel });
		this.look();
	}

	// --- where what is ----------------------------------------------------------

	panelHeight() {
		return this.openAt >= 0 ? this.state.panel : 0;
	}

	y(i) {
		return i * ROW + (this.openAt >= 0 && i > this.openAt ? this.panelHeight() : 0);
	}

	indexAt(y) {
		const below = this.openAt >= 0 ? this.y(this.openAt) + ROW : Infinity;

		if (y < below)
			return Math.floor(y / ROW);
		return Math.max(this.openAt, Math.floor((y - this.panelHeight()) / ROW));
	}

	range() {
		const { total } = this.props, { top, height } = this.state;
		const last = Math.min(total - 1, this.indexAt(top + height) + OVER);

		return [Math.max(0, Math.min(this.indexAt(top) - OVER, last)), last];
	}

	findOpen() {
		const { open, rowAt, list } = this.props, there = rowAt(this.openAt);

		if (!open || this.list !== list || this.was !== open || (there && there.id !== open)) // sorted where it is, say
			this.openAt = -1;
		this.list = list;
		this.was = open;
		if (!open || this.openAt >= 0)
			return;
		const [first, last] = this.range();

		for (let i = first; i <= last; i++)
			if (rowAt(i)?.id === open)
				this.openAt = i;
	}

	// --- scrolling --------------------------------------------------------------

	look = () => {
		const top = this.scroller.scrollTop;

		if (Math.floor(top / ROW) !== Math.floor(this.state.top / ROW))
			this.setState({ top });
		this.props.want(...this.range());
		clearTimeout(this.telling);
		if (!this.restore)
			this.telling = setTimeout(() => this.props.onAt?.(this.indexAt(this.scroller.scrollTop)), 200);
	};

	getSnapshotBeforeUpdate() {
		return this.scroller.contains(document.activeElement);
	}

	componentDidUpdate(before, _, hadFocus) {
		if (this.restore && this.props.total) {
			this.scroller.scrollTop = this.restore * ROW;
			this.restore = 0;
			this.look();
		} else if (before.question !== undefined && before.question !== this.props.question) {
			this.scroller.scrollTop = 0;
			this.setState({ active: 0, top: 0 });
		}
		if (this.panel !== this.observed) {
			if (this.observed)
				this.sizes.unobserve(this.observed);
			if (this.panel)
				this.sizes.observe(this.panel);
			this.observed = this.panel;
		}
		this.props.want(...this.range());
		if (this.moving) {
			this.moving = false;
			this.focusActive();
		} else if (hadFocus && document.activeElement === document.body && !this.focusActive()) {
			this.scroller.focus({ preventScroll: true }); // its row was scrolled out of the page
		}
	}

	/** The row that is meant by a key: the one that has focus, or whose panel has. */
	focusedRow() {
		const tr = document.activeElement?.closest('tr[data-row], tr.panel');

		if (!tr || !this.scroller.contains(tr))
			return undefined;
		return this.props.rowAt(tr.dataset.row ? Number(tr.dataset.row) : this.openAt);
	}

	/** Where focus goes when what had it is gone. */
	focusAgain() {
		if (!this.focusActive())
			this.scroller.focus({ preventScroll: true });
	}

	/** False: its row is not there. */
	focusActive() {
		const row = this.scroller.querySelector(`tr[data-row="${this.state.active}"]`);

		(row?.querySelector('.expand') || row)?.focus({ preventScroll: true });
		return !!row;
	}

	// --- keys -------------------------------------------------------------------

	moveTo(i) {
		const { total } = this.props;
		const head = this.scroller.querySelector('thead').offsetHeight;

		if (!total)
			return;
		i = Math.max(0, Math.min(total - 1, i));
		const y = this.y(i), s = this.scroller;

		if (y < s.scrollTop)
			s.scrollTop = y;
		else if (y + ROW > s.scrollTop + s.clientHeight - head)
			s.scrollTop = y + ROW - s.clientHeight + head;
		this.moving = true;
		this.setState({ active: i, top: s.scrollTop });
	}

	onKey = (e) => {
		const page = Math.max(1, Math.floor(this.state.height / ROW) - 2);
		const { active } = this.state, { total } = this.props;
		const moves = { ArrowDown: active + 1, j: active + 1, ArrowUp: active - 1, k: active - 1,
			PageDown: active + page, PageUp: active - page, Home: 0, End: total - 1 };

		if (e.ctrlKey || e.altKey || e.metaKey || (e.key.length === 1 && !lettersAreKeys()))
			return;
		if (e.key === 'Escape' && this.props.open) {
			this.props.onOpen(undefined);
			this.moving = true;
			e.stopPropagation();
		} else if (e.key in moves && !e.target.closest('.panel')) {
			this.moveTo(e.target.closest('thead') && e.key === 'ArrowDown' ? active : moves[e.key]);
			e.preventDefault();
		}
	};

	onFocus = (e) => {
		const row = e.target.closest('tr[data-row]');

		if (row && Number(row.dataset.row) !== this.state.active)
			this.setState({ active: Number(row.dataset.row) });
	};

	onClick = (e) => {
		const row = e.target.closest('tr[data-row]');

		if (!row || !this.props.onOpen || e.target.closest('a, .acts') || String(getSelection()))
			return;
		this.toggle(Number(row.dataset.row));
	};

	toggle(i) {
		const row = this.props.rowAt(i);

		if (row)
			this.props.onOpen(row.id === this.props.open ? undefined : row.id);
	}

	// --- what is seen -----------------------------------------------------------

	onSort(c, e) {
		const words = (this.props.sort || '').split(',').filter(Boolean);
		const mine = words.find((w) => w.replace('-', '') === c.sort);
		const next = !mine ? (c.down ? '-' : '') + c.sort :
			mine.startsWith('-') === !!c.down ? (c.down ? c.sort : '-' + c.sort) : undefined;
		const others = e.shiftKey ? words.filter((w) => w !== mine) : [];

		this.props.onSort([...others, next].filter(Boolean).slice(-3).join(','));
	}

	head(c) {
		const words = (this.props.sort || '').split(',');
		const mine = words.find((w) => w.replace('-', '') === c.sort);
		const order = c.sort && mine ? (mine.startsWith('-') ? 'descending' : 'ascending') : undefined;

		return html`<th key=${c.key} scope="col" class=${'c-' + c.key} aria-sort=${order}>
			${c.sort ? html`<button type="button" class="sort" title=${c.title}
				onClick=${(e) => this.onSort(c, e)}>${c.label}<span class="order" aria-hidden="true"
				>${order === 'ascending' ? '▲' : order ? '▼' : ''}</span></button>` : c.label}</th>`;
	}

	row(i, tab) {
		const { columns, rowAt, rowClass, onOpen, open, expandLabel } = this.props;
		const row = rowAt(i);
		const isOpen = !!row && open !== undefined && row.id === open;
		const expand = row && onOpen && html`<button type="button" class="expand" tabindex=${tab}
			aria-expanded=${isOpen} aria-label=${expandLabel(row)}><span aria-hidden="true"
			>${isOpen ? '▾' : '▸'}</span></button>`;

		return html`<tr key=${row?.id ?? '#' + i} data-row=${i} aria-rowindex=${i + 2}
			tabindex=${expand ? undefined : tab}
			class=${(row ? rowClass?.(row) || '' : 'absent') + (isOpen ? ' open' : '')}>
			${columns.map((c, n) => html`<td key=${c.key} class=${'c-' + c.key}>${n === 0 && expand}${row
				? c.cell(row, i, tab) : n === 0 ? html`<span class="skeleton"></span>` : ''}</td>`)}
		</tr>`;
	}

	/**
	 * In place of the rows above. Those below are the height of what stands around the table: while rows
	 * are taken out and put in it must not be less for a moment, or the browser scrolls back.
	 */
	pad(height) {
		const width = this.props.columns.length;

		return height > 0 && html`<tr key="pad" class="pad" aria-hidden="true"><td colspan=${width}
			style=${{ height: height + 'px' }}></td></tr>`;
	}

	render() {
		this.findOpen();
		const { name, columns, total, rowAt, panel } = this.props;
		const [first, last] = this.range();
		const { active } = this.state;
		const rows = [];
		const tabbed = active >= first && active <= last ? active : this.indexAt(this.state.top);

		for (let i = first; i <= last; i++) {
			rows.push(this.row(i, i === tabbed ? 0 : -1));
			if (i === this.openAt)
				rows.push(html`<tr key="panel" class="panel"><td colspan=${columns.length}><div
					ref=${(e) => { this.panel = e; }}>${panel(rowAt(i))}</div></td></tr>`);
		}
		if (this.openAt < first || this.openAt > last)
			this.panel = null;
		return html`<div class=${'scroller s-' + name} tabindex="-1" ref=${(e) => { this.scroller = e; }}
			onScroll=${this.look} onKeyDown=${this.onKey} onFocusIn=${this.onFocus} onClick=${this.onClick}>
			<div style=${{ height: ROW + this.y(total || 0) + 'px' }}><table class="grid"
				aria-rowcount=${(total || 0) + 1} aria-label=${this.props.label}>
				<thead><tr aria-rowindex="1">${columns.map((c) => this.head(c))}</tr></thead>
				<tbody>${this.pad(this.y(first))}${rows}</tbody>
			</table></div></div>`;
	}
}

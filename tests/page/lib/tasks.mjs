// SPDX-License-Identifier: GPL-2.0-or-later
// What kept the page's thread, task by task, out of Chromium's own trace: how long by the clock, how much of
// that on a processor, and with what. What else the machine does lengthens the first and not the second.

const CATEGORIES = ['toplevel', 'devtools.timeline', 'v8'];
const TASK = 'ThreadControllerImpl::RunTask';

// What an event and all that is inside of it counts as, where that is not named itself.
const PARTS = [
	['compilation', /^v8\.(compile|produceCache)|^V8\.(Compile|Parse|PreParse|BytecodeBudget|Deserialize|Finalize)/],
	['collection', /GC/],
	['evaluation', /^(v8\.evaluateModule|v8\.run|EvaluateScript)$/],
	['calls', /^(FunctionCall|v8\.callFunction|v8\.callAsConstructor|RunMicrotasks|FireAnimationFrame|TimerFire|EventDispatch)$/],
	['style', /^(UpdateLayoutTree|RecalculateStyles|Document::(updateStyle|recalcStyle))$/],
	['layout', /^Layout$/],
	['paint', /^(Paint|PrePaint|Layerize|Commit|UpdateLayer|CompositeLayers|PaintImage)$/],
	['parsing', /^(ParseHTML|ParseAuthorStyleSheet|HTMLDocumentParser)/],
];
const inScript = new Set(['evaluation', 'calls']);

function partOf({ name }, above) {
	const part = PARTS.find(([, names]) => names.test(name))?.[0];

	if ((part === 'style' || part === 'layout') && (inScript.has(above) || above.startsWith('forced')))
		return 'forced ' + part; // a script asked for what only a layout can tell
	return part || above;
}

/** { part: ms on a processor }: of a task's events, that and all inside, in the order they began. */
function partsOf([task, ...inside]) {
	const parts = {}, stack = [{ e: task, part: 'the rest', left: task.tdur }];
	const end = () => {
		const { part, left } = stack.pop();

		parts[part] = (parts[part] || 0) + left / 1000;
	};

	for (const e of inside) {
		while (stack.at(-1).e.ts + stack.at(-1).e.dur < e.ts + e.dur)
			end();
		stack.at(-1).left -= e.tdur;
		stack.push({ e, part: partOf(e, stack.at(-1).part), left: e.tdur });
	}
	while (stack.length)
		end();
	return Object.fromEntries(Object.entries(parts).filter(([, ms]) => ms >= .5).sort((a, b) => b[1] - a[1]));
}

/** The function that had most of it, as the page has it. */
function heaviestCall(events) {
	const calls = events.filter((e) => e.name === 'FunctionCall' && e.args.data?.url).sort((a, b) => b.tdur - a.tdur);
	const { functionName, url, lineNumber } = calls[0]?.args.data || {};

	return url && `${functionName || 'anonymous'} ${new URL(url).pathname}:${lineNumber}`;
}

/** What it was for: the message, if it is one (who tests the page asks it by some of DevTools), else who asked for it. */
function reason([task, first]) {
	return first?.args.chrome_mojo_event_info?.mojo_interface_tag || task.args.src_func;
}

/** [{ at, wall, cpu, parts, from, call }], in ms: of the thread on which a document of that address was shown. */
function tasksOf(events, url) {
	const shown = events.find((e) => e.name === 'CommitLoad' && e.args.data?.url.startsWith(url));

	if (!shown)
		throw new Error('nothing of ' + url + ' is in the trace');
	const mine = events.filter((e) => e.ph === 'X' && e.pid === shown.pid && e.tid === shown.tid && e.tdur !== undefined)
		.sort((a, b) => a.ts - b.ts || b.dur - a.dur);
	const tasks = [];
	let end = -1;

	for (const e of mine)
		if (e.ts + e.dur <= end)
			tasks.at(-1).push(e);
		else if (e.name === TASK) {
			tasks.push([e]);
			end = e.ts + e.dur;
		}
	return tasks.map((all) => ({ at: (all[0].ts - shown.ts) / 1000, wall: all[0].dur / 1000, cpu: all[0].tdur / 1000,
		from: reason(all), parts: partsOf(all), call: heaviestCall(all) }));
}

/** Does look(); the tasks of a page of that address which is opened meanwhile. */
export async function traced(browser, url, look) {
	const client = await browser.newBrowserCDPSession(), events = [];
	const ended = new Promise((done) => client.once('Tracing.tracingComplete', done));

	client.on('Tracing.dataCollected', ({ value }) => events.push(...value));
	await client.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: CATEGORIES } });
	try {
		await look();
	} finally {
		await client.send('Tracing.end');
		await ended;
		await client.detach();
	}
	return tasksOf(events, url);
}

/** "at 350 ms: 107 ms, 35.4 of them on a processor: layout 12.1, calls 8.7 (DOMTimer; render /page/grid.js:12)". */
export function describe({ at, wall, cpu, parts, from, call }) {
	const of = Object.entries(parts).map(([part, ms]) => `${part} ${ms.toFixed(1)}`).join(', ');

	return `at ${at.toFixed(0)} ms: ${wall.toFixed(0)} ms, ${cpu.toFixed(1)} of them on a processor: ${of} (${[from, call].filter(Boolean).join('; ')})`;
}

// SPDX-License-Identifier: GPL-2.0-or-later
import { App } from './app.js';
import { html, render } from './html.js';

render(html`<${App} />`, document.getElementById('app'));

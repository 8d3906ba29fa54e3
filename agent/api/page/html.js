// SPDX-License-Identifier: GPL-2.0-or-later
// Markup as tagged templates, read at run time without eval.
import { h } from './vendor/preact.mjs';
import htm from './vendor/htm.mjs';

export { Component, render } from './vendor/preact.mjs';
export const html = htm.bind(h);

'use strict';
// A browser for the tests: reads steps as JSON from stdin, walks them in one Chromium, prints what came of each as JSON.
// t/lib/SL/Browser.pm runs it and says what a step may be.
const { chromium } = require('playwright-core');

async function readInput() {
    let text = '';
    for await (const piece of process.stdin) text += piece;
    return JSON.parse(text);
}

// The first error of the network that a navigation met: net::ERR_...
function errorOf(problem) {
    const found = /net::(ERR_\w+)/.exec(problem.message);
    return found ? found[1] : problem.message.split('\n')[0];
}

class Visitor {
    constructor(browser, timeout) {
        this.browser = browser;
        this.timeout = timeout;
    }

    // A profile of its own: no connection, session or cached page of the one before.
    async fresh() {
        if (this.profile) await this.profile.close();
        this.profile = await this.browser.newContext();
        this.profile.setDefaultTimeout(this.timeout);
        this.page = await this.profile.newPage();
        this.network = await this.profile.newCDPSession(this.page);
        this.seen = [];
        this.network.on('Network.responseReceived', (event) => this.seen.push(event));
        await this.network.send('Network.enable');
        return {};
    }

    // What the browser knows of the connection that the last document came by.
    connection() {
        const last = this.seen.filter((event) => event.type === 'Document').pop();
        if (!last) return {};
        const { protocol, connectionId, connectionReused, securityState, securityDetails } = last.response;
        return { protocol, connection: connectionId, reused: connectionReused, state: securityState, tls: securityDetails };
    }

    async navigate(move) {
        this.seen.length = 0;
        const response = await move();
        const body = await response.text();
        return { status: response.status(), body, url: this.page.url(), ...this.connection() };
    }

    goto(step) { return this.navigate(() => this.page.goto(step.url)); }

    reload() { return this.navigate(() => this.page.reload()); }

    // The page has a form with one file and one button.
    async upload(step) {
        await this.page.goto(step.url);
        await this.page.setInputFiles('input[type=file]', step.file);
        return this.navigate(async () => (await Promise.all([this.page.waitForNavigation(), this.page.click('[type=submit]')]))[0]);
    }

    // Follows the first link of the page to a file that the browser saves.
    async download(step) {
        await this.page.goto(step.url);
        const [download] = await Promise.all([this.page.waitForEvent('download'), this.page.click('a')]);
        await download.saveAs(step.to);
        return { failure: await download.failure(), name: download.suggestedFilename() };
    }

    // The size of the window in CSS pixels, and whether its user likes it dark. Counts from the next document on.
    async look(step) {
        await this.page.setViewportSize({ width: step.width, height: step.height });
        await this.page.emulateMedia({ colorScheme: step.dark ? 'dark' : 'light' });
        return {};
    }

    // The page as PNG, all of it or as much as the window shows.
    async picture(step) {
        await this.page.screenshot({ path: step.to, fullPage: !step.window });
        return {};
    }

    // Types into the field and submits its form.
    async search(step) {
        await this.page.fill(step.field, step.text);
        return this.navigate(async () => (await Promise.all([this.page.waitForNavigation(), this.page.press(step.field, 'Enter')]))[0]);
    }

    // Runs code in the page, e.g. to fetch many things at once.
    async script(step) { return { value: await this.page.evaluate(step.code) }; }

    async walk(step) {
        try {
            return await this[step.do](step);
        } catch (problem) {
            return { error: errorOf(problem) };
        }
    }
}

async function main() {
    const { executable, args, timeout, steps } = await readInput();
    const browser = await chromium.launch({ executablePath: executable, headless: true, args, timeout });
    try {
        const visitor = new Visitor(browser, timeout);
        const results = [];
        await visitor.fresh();
        for (const step of steps) results.push(await visitor.walk(step));
        process.stdout.write(JSON.stringify({ version: browser.version(), results }));
    } finally {
        await browser.close();
    }
}

main().catch((problem) => {
    process.stderr.write(`${problem.stack}\n`);
    process.exitCode = 1;
});

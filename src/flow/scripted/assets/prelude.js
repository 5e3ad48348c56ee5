// Runs before the author's code, with the language as it was built in: nothing that a script changes later reaches
// these functions. Gives the clock, the randomness and `run`; the rest of `host` is the session's.
(host) => {
  "use strict";
  const { Date: Native, Error, Math, Object, Promise, Reflect, RegExp, String, TypeError } = globalThis;
  const { create, defineProperty } = Object;
  const call = Function.prototype.call.bind(Function.prototype.call);
  const fixed = (object, name, value) =>
    defineProperty(object, name, { __proto__: null, value, writable: true, configurable: true, enumerable: false });

  // A date knows no time zone but UTC, and no clock but the run's.
  const proto = Native.prototype;
  const zoned = /(?:Z|GMT|UTC|[+-]\d\d:?\d\d)\s*(?:\([^)]*\))?$/i;
  const dayOnly = /^\s*[+-]?\d{4,6}(?:-\d\d(?:-\d\d)?)?\s*$/;
  const iso = /^\s*[+-]?\d{4,6}-\d\d-\d\d/;
  const { exec } = RegExp.prototype;
  const is = (pattern, text) => call(exec, pattern, text) !== null;
  const parse = Native.parse;
  const read = (text) => {
    text = String(text);
    if (is(zoned, text) || is(dayOnly, text)) return parse(text);
    return parse(is(iso, text) ? text + "Z" : text + " UTC");
  };
  const utc = Native.UTC;
  const valueOf = proto.valueOf;
  const toUTCString = proto.toUTCString;
  function Date(...parts) {
    if (new.target === undefined) return call(toString, new Native(host.now()));
    let time;
    if (parts.length === 0) time = host.now();
    else if (parts.length > 1) time = utc(...parts);
    else {
      let part = parts[0];
      try {
        part = call(valueOf, part);
      } catch {
        if (typeof part === "object" && part !== null) part = `${part}`;
      }
      time = typeof part === "string" ? read(part) : +part;
    }
    return Reflect.construct(Native, [time], new.target);
  }
  fixed(Date, "now", () => host.now());
  fixed(Date, "parse", (text) => read(text));
  fixed(Date, "UTC", utc);
  defineProperty(Date, "length", { __proto__: null, value: 7 });
  defineProperty(Date, "prototype", { __proto__: null, value: proto, writable: false });
  fixed(proto, "constructor", Date);
  for (const part of ["Date", "Day", "FullYear", "Hours", "Milliseconds", "Minutes", "Month", "Seconds"]) {
    fixed(proto, "get" + part, proto["getUTC" + part]);
    if (part !== "Day") fixed(proto, "set" + part, proto["setUTC" + part]);
  }
  const slice = String.prototype.slice;
  const day = (date) => {
    const text = call(toUTCString, date); // Thu, 01 Jan 1970 00:00:00 GMT
    if (text === "Invalid Date") return [text, ""];
    const time = call(slice, text, -12, -4);
    const [name, number, month, year] = [call(slice, text, 0, 3), call(slice, text, 5, 7), call(slice, text, 8, 11), call(slice, text, 12, -13)];
    return [`${name} ${month} ${number} ${year}`, ` ${time} GMT+0000 (UTC)`];
  };
  function toString() { const [date, time] = day(this); return date + time; }
  function toDateString() { return day(this)[0]; }
  function toTimeString() { return call(slice, day(this)[1], 1); }
  fixed(proto, "toString", toString);
  fixed(proto, "toLocaleString", toString);
  fixed(proto, "toDateString", toDateString);
  fixed(proto, "toLocaleDateString", toDateString);
  fixed(proto, "toTimeString", toTimeString);
  fixed(proto, "toLocaleTimeString", toTimeString);
  fixed(proto, "getTimezoneOffset", () => 0);
  delete proto.getYear;
  delete proto.setYear;
  fixed(globalThis, "Date", Date);
  fixed(Math, "random", () => host.random());

  const pending = create(null);
  const ask = (kind, name, input, options) => {
    if (typeof name !== "string") throw new TypeError(`run.${kind}: the name must be text`);
    const error = new Error();
    const ticket = host.call(kind, name, input, options, error.stack);
    return new Promise((resolve, reject) => {
      pending[ticket] = { __proto__: null, resolve, reject, error };
    });
  };
  const run = {
    step: (id, vars = {}, options = {}) => ask("step", id, vars, options),
    prompt: (text, options = {}) => ask("prompt", "", text, options),
    command: (argv, options = {}) => ask("command", "", argv, options),
    http: (request, options = {}) => ask("http", "", request, options),
    tool: (name, args = {}, options = {}) => ask("tool", name, args, options),
    ask: (fields, options = {}) => ask("ask", "", fields, options),
    review: (name, value, options = {}) => ask("review", name, value, options),
    workflow: (id, inputs = {}, options = {}) => ask("workflow", id, inputs, options),
    document: (name, document) => { host.call("document", `${name}`, document, {}, new Error().stack); },
    log: (...parts) => host.log(...parts),
    now: () => host.now(),
    random: () => host.random(),
    uuid: () => host.uuid(),
    state: {},
  };
  const log = (...parts) => host.log(...parts);
  fixed(globalThis, "console", { log, info: log, debug: log, warn: log, error: log });

  return {
    __proto__: null,
    async start(main, inputs, about, state) {
      for (const name in about) run[name] = about[name];
      run.state = state;
      try {
        const value = await main(run, inputs);
        host.done(value, run.state);
      } catch (error) {
        host.threw(error);
      }
    },
    settle(ticket, key, kind, message, value) {
      const { resolve, reject, error } = pending[ticket];
      delete pending[ticket];
      if (key === undefined) return resolve(value);
      fixed(error, "name", "CallFailed");
      fixed(error, "message", `${key}: ${kind}: ${message}`);
      fixed(error, "reason", message);
      fixed(error, "class", kind);
      fixed(error, "key", key);
      reject(error);
    },
  };
}

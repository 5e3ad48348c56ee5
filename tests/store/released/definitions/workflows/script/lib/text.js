export const joined = (texts) => texts.join("\n\n");

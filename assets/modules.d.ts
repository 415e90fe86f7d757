/** Text files that the bundler embeds (`with { type: "text" }`). */
declare module "*.service" {
  const text: string;
  export default text;
}

declare module "*.sh" {
  const text: string;
  export default text;
}

declare module "*/LICENSE" {
  const text: string;
  export default text;
}

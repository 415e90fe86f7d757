/** Text files that the bundler embeds (`with { type: "text" }`). */
declare module "*.service" {
  const text: string;
  export default text;
}

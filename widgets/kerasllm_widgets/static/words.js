// What the views say, in English and Chinese, by Lab's language or the browser's.

const WORDS = {
  advanced: ["Advanced", "高级"],
  busy: ["A run is going on", "训练正在进行"],
  card: ["Data card", "数据卡"],
  columns: ["columns", "列"],
  confusion: ["Confusion matrix", "混淆矩阵"],
  confusionNote: ["rows: true class; columns: answered", "行：真实类别；列：回答"],
  curve: ["Curve", "曲线"],
  curveHelp: ["arrow keys read the points", "用方向键读取各点"],
  device: ["trained on", "训练设备："],
  epoch: ["epoch", "轮"],
  estimate: ["Estimate time", "估计时间"],
  estimating: ["Estimating: a few steps are tried…", "正在估计：试跑几步…"],
  estimated: ["about", "约需"],
  figures: ["Figures", "图"],
  firstRows: ["First rows", "前几行"],
  left: ["left", "剩余"],
  loading: ["Loading…", "加载中…"],
  log: ["Details", "详情"],
  lost: ["The kernel was restarted or has ended: this view stands still. Run this cell again for the live view.", "内核已重启或结束，此视图不再更新。重新运行此单元格即可恢复实时视图。"],
  mistakes: ["Some values are wrong; they are marked.", "有些值不正确，已标出。"],
  name: ["Name of the notebook", "笔记本的名称"],
  of: ["of", "/"],
  resume: ["Resume", "继续"],
  rows: ["rows", "行"],
  save: ["Save as notebook", "另存为笔记本"],
  saved: ["Saved as", "已保存为"],
  scores: ["Scores", "得分"],
  steps: ["steps", "步"],
  stop: ["Stop", "停止"],
  test: ["test", "测试"],
  train: ["Train", "训练"],
  training: ["training", "训练"],
  validation: ["validation", "验证"],
  warnings: ["Notes on the data", "数据提示"],
  compare: ["Compare", "比较"],
  dropPicture: ["Drop a picture here, or choose one", "把图片拖到这里，或选择一张"],
  flips: ["Rows whose verdict flipped", "判断不同的行"],
  fromCheckpoint: ["answered by the last checkpoint of a run that goes on", "由仍在进行的运行的最近检查点回答"],
  none: ["none", "无"],
  notRead: ["The run has not read its data yet.", "运行尚未读取数据。"],
  nothingLeft: ["The run has ended and left nothing to try.", "运行已结束，没有留下可试用的内容。"],
  parameters: ["Parameters that differ", "不同的参数"],
  playground: ["Playground", "试用"],
  prompt: ["Prompt", "开头"],
  row: ["row", "行"],
  try: ["Try it", "试用"],
  superseded: ["another question came in between; ask again", "其间有另一个问题；请再问一次"],
  tooLarge: ["The picture is larger than 8 MB; make it smaller.", "图片大于 8 MB；请先缩小。"],
  truth: ["truth", "真实"],
  write: ["Write on", "接着写"],
  yourPicture: ["Your picture", "你的图片"],
  yourText: ["Your text", "你的文本"],
  // states
  queued: ["queued", "排队中"],
  starting: ["Loading Keras…", "正在加载 Keras…"],
  running: ["running", "运行中"],
  stopping: ["stopping…", "正在停止…"],
  stalled: ["stalled", "无响应"],
  stopped: ["stopped", "已停止"],
  failed: ["failed", "失败"],
  completed: ["completed", "已完成"],
  deleted: ["deleted", "已删除"],
  gone: ["its process is gone", "进程已消失"],
  unreadable: ["unreadable", "无法读取"],
};

// What a run does while it is running, by the name that its folder has for it.
const PHASES = {
  starting: ["starting", "正在启动"],
  "starting the kernel": ["starting the kernel", "正在启动内核"],
  cell: ["cell", "单元格"],
  "reading the data": ["reading the data", "读取数据"],
  "loading Keras": ["Loading Keras…", "正在加载 Keras…"],
  "building the network": ["building the network", "构建网络"],
  compiling: ["compiling", "编译"],
  training: ["training", "训练中"],
  scoring: ["scoring", "评分"],
};

let spoken = ""; // as Lab's extension, which has its translator, was told

// In Lab's own parts its language counts alone.
export function speak(tag) {
  spoken = tag;
}

// Asked each time: Lab tells its language only after its extensions have been loaded.
function isChinese() {
  const tags = spoken ? [spoken] : [document.documentElement.lang, navigator.language];
  return tags.some((tag) => /^zh/i.test(tag || ""));
}

export function language() {
  return isChinese() ? "zh" : "en";
}

// Tells Python the page's language.
export function tellLanguage(model) {
  if (model.get("language") === language()) return;
  model.set("language", language());
  model.save_changes();
}

export function say(word) {
  return WORDS[word] ? WORDS[word][isChinese() ? 1 : 0] : word;
}

// A run's phase; one with a count, such as "cell 2/5", keeps it.
export function phase(name) {
  const [, what, count] = /^(.*?)( \d+\/\d+)?$/.exec(name);
  return (PHASES[what] ? PHASES[what][isChinese() ? 1 : 0] : what) + (count || "");
}

// A text that Python gives in both languages, or in the one there is.
export function said(texts) {
  if (typeof texts === "string") return texts;
  return texts ? texts[language()] || texts.en || "" : "";
}

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (isChinese()) return hours ? `${hours} 小时 ${minutes} 分` : minutes ? `${minutes} 分 ${rest} 秒` : `${rest} 秒`;
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min ${rest} s` : `${rest} s`;
}

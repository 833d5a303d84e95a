"""Chinese names, places and companies, and the ways in which clerks and customers write them differently."""

SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
    "余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
"""A hundred surnames, the most frequent first; drawn with weights that fall with the rank."""

GIVEN_MALE = (
    "伟强磊洋勇军杰涛超明刚平辉鹏华飞鑫波斌宇浩凯健俊帆帅旭宁龙林欢阳建亮成峰毅博文志国海东晨睿轩泽翔昊天子豪嘉铭"
)
GIVEN_FEMALE = (
    "芳娜敏静丽艳娟霞秀英玲桂兰燕红梅婷雪慧莉萍琳洁颖丹欣怡佳倩雅梦琪思雨晓妍璐瑶悦蕾薇岚蓉冰馨语涵子诗若彤可心"
)
SIMILAR: dict[str, str] = dict(
    zip(
        "伟强洋杰涛明辉鹏华波斌宇浩健俊旭峰志芳静丽娟玲红婷慧萍颖欣倩晓梦思雪燕英秀海东文",
        "玮羌阳洁滔鸣晖朋骅博彬雨皓建骏绪锋智方婧莉鹃铃虹亭惠苹影心茜小萌斯学艳瑛绣诲冬纹",
        strict=True,
    )
)
"""A given-name character as it is mistyped: the same sound or nearly the same strokes."""

TRADITIONAL: dict[str, str] = dict(
    zip(
        "张刘陈杨赵黄吴孙马罗郑谢韩冯邓许吕苏卢蒋",
        "張劉陳楊趙黃吳孫馬羅鄭謝韓馮鄧許呂蘇盧蔣",
        strict=True,
    )
)
"""A surname in traditional characters, as some customers type it."""

CITIES = (
    ("上海市", "华东", "3101", "Shanghai"),
    ("北京市", "华北", "1101", "Beijing"),
    ("深圳市", "华南", "4403", "Shenzhen"),
    ("广州市", "华南", "4401", "Guangzhou"),
    ("杭州市", "华东", "3301", "Hangzhou"),
    ("南京市", "华东", "3201", "Nanjing"),
    ("苏州市", "华东", "3205", "Suzhou"),
    ("成都市", "西南", "5101", "Chengdu"),
    ("武汉市", "华中", "4201", "Wuhan"),
    ("重庆市", "西南", "5001", "Chongqing"),
    ("天津市", "华北", "1201", "Tianjin"),
    ("西安市", "西北", "6101", "Xi'an"),
    ("宁波市", "华东", "3302", "Ningbo"),
    ("青岛市", "华东", "3702", "Qingdao"),
    ("长沙市", "华中", "4301", "Changsha"),
    ("郑州市", "华中", "4101", "Zhengzhou"),
    ("无锡市", "华东", "3202", "Wuxi"),
    ("佛山市", "华南", "4406", "Foshan"),
    ("合肥市", "华东", "3401", "Hefei"),
    ("济南市", "华东", "3701", "Jinan"),
    ("福州市", "华东", "3501", "Fuzhou"),
    ("厦门市", "华东", "3502", "Xiamen"),
    ("昆明市", "西南", "5301", "Kunming"),
    ("沈阳市", "东北", "2101", "Shenyang"),
    ("大连市", "东北", "2102", "Dalian"),
    ("哈尔滨市", "东北", "2301", "Harbin"),
    ("长春市", "东北", "2201", "Changchun"),
    ("石家庄市", "华北", "1301", "Shijiazhuang"),
    ("太原市", "华北", "1401", "Taiyuan"),
    ("南昌市", "华东", "3601", "Nanchang"),
    ("南宁市", "华南", "4501", "Nanning"),
    ("贵阳市", "西南", "5201", "Guiyang"),
    ("兰州市", "西北", "6201", "Lanzhou"),
    ("海口市", "华南", "4601", "Haikou"),
    ("温州市", "华东", "3303", "Wenzhou"),
    ("东莞市", "华南", "4419", "Dongguan"),
    ("常州市", "华东", "3204", "Changzhou"),
    ("徐州市", "华东", "3203", "Xuzhou"),
    ("烟台市", "华东", "3706", "Yantai"),
    ("珠海市", "华南", "4404", "Zhuhai"),
)
"""Name, region, first four digits of an identity number, name in English."""

DISTRICTS = ("城东区", "城西区", "新城区", "高新区", "江北区", "江南区", "鼓楼区", "开发区")
ROADS = (
    "人民路",
    "中山路",
    "解放路",
    "建设路",
    "和平路",
    "新华路",
    "长江路",
    "黄河路",
    "文化路",
    "胜利路",
    "朝阳路",
    "青年路",
    "公园路",
    "学府路",
    "滨河路",
    "东风路",
    "光明路",
    "幸福路",
    "友谊路",
    "振兴路",
    "世纪大道",
    "科技大道",
    "迎宾大道",
    "金融街",
)
ROADS_EN = (
    "Renmin Road",
    "Zhongshan Road",
    "Jiefang Road",
    "Jianshe Road",
    "Heping Road",
    "Xinhua Road",
    "Changjiang Road",
    "Huanghe Road",
    "Wenhua Road",
    "Shengli Road",
    "Chaoyang Road",
    "Qingnian Road",
    "Gongyuan Road",
    "Xuefu Road",
    "Binhe Road",
    "Dongfeng Road",
    "Guangming Road",
    "Xingfu Road",
    "Youyi Road",
    "Zhenxing Road",
    "Century Avenue",
    "Keji Avenue",
    "Yingbin Avenue",
    "Financial Street",
)

COMPANY_WORDS = tuple(
    first + second
    for first in ("鑫", "恒", "瑞", "宏", "嘉", "德", "金", "华", "永", "天", "福", "盛", "祥", "安", "泰", "广")
    for second in ("源", "达", "丰", "通", "茂", "信", "诚", "和", "顺", "利", "隆", "兴", "昌", "美", "康", "辰")
)
INDUSTRIES = ("餐饮", "商贸", "五金", "服饰", "物流", "装饰", "电子", "食品", "印刷", "汽修", "教育咨询", "农产品")
COMPANY_FORMS = ("有限公司", "商行", "经营部", "工作室")

OCCUPATIONS = (
    "公务员",
    "教师",
    "医生",
    "工程师",
    "销售",
    "会计",
    "工人",
    "司机",
    "服务员",
    "程序员",
    "企业管理",
    "自由职业",
    "退休",
    "学生",
)

BANKS = (
    *("中国工商银行", "中国农业银行", "中国银行", "中国建设银行"),
    *("招商银行", "交通银行", "中国邮政储蓄银行", "平安银行"),
)
WALLETS = ("支付宝", "微信支付")
FUNDS = ("余额宝", "零钱通")
BROKERS = ("中信证券", "国泰海通证券", "华泰证券")
LEAD_SOURCES = ("微信公众号", "抖音", "小红书", "微博")
MALL_CATEGORIES = ("数码", "家电", "食品", "服饰", "母婴", "礼品卡", "旅行", "图书")

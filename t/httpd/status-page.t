# The status page in Chromium: light and dark, on a wide screen and a phone's; the filter box works; nothing comes from
# elsewhere, no script runs, and no state is told by colour alone. Pictures of it are kept in build/status-page.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use File::Path qw(make_path);
use SL::Browser;
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp spew wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;
use SL::Responder;

my $pictures = "$FindBin::Bin/../../build/status-page";
make_path($pictures);

my $certs     = SL::Certs->new;
my $responder = SL::Responder->new(certs => $certs, ca => 'ca');
my $aia       = 'authorityInfoAccess=OCSP;URI:' . $responder->url . "\n";
my $nowhere   = "authorityInfoAccess=OCSP;URI:http://127.0.0.1:9/ocsp\n";
my @names     = map {"www.customer-with-a-long-name-$_.example.test"} 1 .. 9;
my %cert      = (
    one     => $certs->server('one.test',     type => 'ecdsa', extensions => $aia),
    revoked => $certs->server('revoked.test', type => 'rsa',   extensions => $aia, revoked => 1),
    lost    => $certs->server('lost.test',    type => 'ed25519', extensions => $nowhere, end => '+40d'),
    soon    => $certs->server('soon.test',    type => 'p384', start => '-60d', end => '+5d'),
    past    => $certs->server('past.test',    type => 'ecdsa', start => '-90d', end => '-2d'),
    many    => $certs->server($names[0],      type => 'ecdsa', names => \@names, end => '+60d'),
    live    => $certs->server('live.test',    type => 'ecdsa', end => '+30d'),
);
my $httpd = SL::Httpd->new(modules => ['socache_shmcb', 'status']);
my $dir   = $httpd->root . '/work';
spew("$dir/live.pem", slurp($cert{live}{full}));
spew("$dir/ticket.key", 'x' x 80, 0600);
mkdir "$dir/tls" or die $!;
spew("$dir/tls/site.test.pem", slurp($certs->server('site.test', type => 'ecdsa', start => '-80d', end => '+6d')->{both}), 0600);
spew("$dir/tls/broken.test.pem", 'none');
utime 1, 1, "$dir/tls/broken.test.pem";    # else it may be half of a change
$cert{live} = { full => "$dir/live.pem", key => $cert{live}{key} };
page($httpd, 'one.test');
$httpd->config(join '', "Listen 127.0.0.1:\${port_https}\nSSLCACertificateFile \"@{[$certs->ca('ca')]}\"\n",
    tls_host('one.test', $cert{one}, 'SSLUseStapling on', 'ServerAlias alias.test', 'SSLSessionTicketKeyFile "${work}/ticket.key"', 'SecureLayerCertificateDirectory "${work}/tls"', '<Location "/tls">', 'SetHandler securelayer-status', '</Location>'),
    tls_host('revoked.test', $cert{revoked}, 'SSLUseStapling on', 'SSLProtocol TLSv1.2'),
    tls_host('lost.test', $cert{lost}, 'SSLUseStapling on'),
    tls_host($names[0], $cert{many}, map {"ServerAlias $_"} @names[1 .. 8]),
    map { tls_host("$_.test", $cert{$_}) } qw(soon past live));
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));
my $url = 'https://one.test:' . $httpd->port('https') . '/tls';
sub text { return $client->curl($url)->{body} }

# Something to show
$client->curl("https://$_.test/", insecure => 1) for ('one') x 9, ('soon') x 4, ('live') x 2;
$client->s_client('one.test', args => ['-tls1_2', '-groups', $_]) for qw(P-256 P-384 X25519);
$client->s_client('revoked.test', args => ['-tls1_3']) for 1, 2;
$client->s_client('one.test', args => ['-tls1_2', '-cipher', 'NULL:@SECLEVEL=0']);
$client->s_client("$_.test") for qw(site broken);
spew("$dir/live.pem", 'none');
ok(wait_until(sub { my $now = text(); $now =~ /refused<\/span>/ && $now =~ /good<\/span>/ && $now =~ /revoked<\/span>/ && $now =~ /missing<\/span>/ && $now =~ /<td[^>]*>broken\.test/ }, 30 * slow()),
    'a refused change, and three states of staples') or diag text();

my $browser = SL::Browser->new(trust => [$certs->ca('ca')], resolve => { 'one.test' => '127.0.0.1' });
my $facts = <<'JS';
({ width: document.documentElement.scrollWidth, window: window.innerWidth, back: getComputedStyle(document.body).backgroundColor,
   rows: [...document.querySelectorAll('section')].find(e => e.firstChild.innerText === 'Certificates').querySelector('.flow').rows.length - 1,
   site: [...document.querySelectorAll('td')].filter(e => e.innerText === 'site.test').length, text: document.body.innerText,
   small: [...document.querySelectorAll('a,button,input')].filter(e => e.getBoundingClientRect().height < 16).length,
   wordless: [...document.querySelectorAll('.badge')].filter(e => !/\w{3}/.test(e.innerText)).length,
   marks: [...document.querySelectorAll('td[data-is]')].filter(e => getComputedStyle(e, '::before').content.length > 5).length,
   loaded: performance.getEntriesByType('resource').length })
JS
my $contrast = <<'JS';
(() => {
    const rgb = (c) => c.match(/[\d.]+/g).map(Number);
    const light = (c) => { const [r, g, b] = rgb(c).map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (rgb(c)[3] !== 0) return c; } return 'rgb(255,255,255)'; };
    let worst = 21;
    for (const e of document.querySelectorAll('body *')) {
        if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
        const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
        worst = Math.min(worst, (a + 0.05) / (b + 0.05));
    }
    return worst;
})()
JS

sub seen {
    my ($name, %look) = @_;
    my @answers = $browser->visit({ do => 'look', %look }, { do => 'goto', url => $url }, { do => 'script', code => $facts },
        { do => 'script', code => $contrast }, { do => 'picture', to => "$pictures/$name.png" },
        { do => 'picture', to => "$pictures/$name-top.png", window => 1 });
    is($answers[1]{status}, 200, "$name: the page is there") or diag explain \@answers;
    my $page = $answers[2]{value};
    is($page->{loaded}, 0, '... loads nothing else');
    cmp_ok($page->{width}, '<=', $page->{window}, '... needs no scrolling to the side');
    is($page->{wordless}, 0, '... each state has a word');
    is($page->{rows}, 7, '... each certificate has a row');
    is($page->{site}, 1, '... one of a directory too');
    cmp_ok($answers[3]{value}, '>=', 4.5, '... all text can be read (contrast 4.5 to 1)');
    return $page;
}
my $light = seen('light', width => 1280, height => 900, dark => 0);
my $dark  = seen('dark',  width => 1280, height => 900, dark => 1);
my $phone = seen('phone', width => 360,  height => 780, dark => 0);
seen('phone-dark', width => 360,  height => 780, dark => 1);
seen('narrow', width => 800, height => 900, dark => 0);
isnt($light->{back}, $dark->{back}, 'dark and light differ');
is($light->{marks}, 0, 'on a wide screen columns have heads');
cmp_ok($phone->{marks}, '>', 35, 'on a phone each value tells what it is');

my @found = $browser->visit({ do => 'goto', url => $url }, { do => 'search', field => '#filter', text => 'SOON.te' },
    { do => 'script', code => $facts }, { do => 'search', field => '#filter', text => '"><b>&' }, { do => 'script', code => 'document.querySelector("#filter").value' });
is($found[1]{status}, 200, 'the filter box answers') or diag explain \@found;
is($found[2]{value}{rows}, 1, '... with what was asked for');
like($found[2]{value}{text}, qr/1 found/, '... and says how many');
is($found[2]{value}{site}, 0, '... of those in directories too');
is($found[4]{value}, '"><b>&', 'whatever was typed is text');
my @script = $browser->visit({ do => 'goto', url => $url },
    { do => 'script', code => q{(() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s); return window.ran || 0 })()} });
is($script[1]{value}, 0, 'no script runs in it');

$httpd->stop;
done_testing;

# Filters of other modules above TLS: mod_deflate both ways, mod_ratelimit, mod_include.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Bodies qw(pattern digest digest_of scripts cgi_modules cgi_conf);
use SL::Certs;
use SL::Client;
use SL::Command qw(run scratch_dir slurp slow spew);
use SL::Conf qw(tls_host);
use SL::Httpd;

my $cert = SL::Certs->new->server('one.test', type => 'ecdsa');
my $text = join '', map {"line $_ of a text that can be compressed well\n"} 1 .. 60000;

sub deflate {
    my ($client) = @_;
    my $r = $client->curl('https://one.test/text.txt', args => ['-H', 'Accept-Encoding: gzip']);
    is($r->{headers}{'content-encoding'}, 'gzip', 'mod_deflate compresses: it knows that TLS does not');
    cmp_ok(length $r->{body}, '<', length($text) / 4, '... a lot');
    my $dir = scratch_dir('deflate');
    spew("$dir/text.gz", $r->{body});
    ok(run(['gzip', '-dc', "$dir/text.gz"])->{out} eq $text, '... and what it sends is the text');
    is(digest_of($client->curl('https://one.test/text.txt')->{body}), digest_of($text), '... as without it');
    run(['sh', '-c', 'gzip -c >"$1/up.gz"', 'sh', $dir], stdin => $text);
    $r = $client->curl('https://one.test/cgi-bin/digest.pl',
        args => ['-T', "$dir/up.gz", '-H', 'Content-Encoding: gzip']);
    is($r->{body}, digest_of($text), '... and a compressed body arrives as the text');
    return;
}

sub ratelimit {
    my ($client) = @_;
    my $r = $client->curl('https://one.test/limited/600000', args => ['-w', '%{time_starttransfer} %{time_total} %{http_code} 1.1 0 1']);
    my ($first, $total) = $r->{out} =~ /^(\S+) (\S+) 200/;
    is(digest_of($r->{body}), digest(600000), 'mod_ratelimit lets everything through');
    cmp_ok($total // 0, '>', 0.8, '... slowly');
    cmp_ok($first // 99, '<', 0.5 * slow(), '... but begins at once');
    return;
}

sub include {
    my ($httpd, $client) = @_;
    my $r = $client->curl('https://one.test/page.shtml');
    is($r->{code}, 200, 'a page of mod_include');
    my $from_cgi = digest(100000);
    like($r->{body}, qr/^protocol=TLSv1\.\d https=on\n/, '... knows the connection');
    like($r->{body}, qr/\nfile: this is a file\nprogram: /, '... includes a file');
    my ($included) = $r->{body} =~ /program: (.*)\nend\n\z/s;
    is(digest_of($included // ''), $from_cgi, '... and what a program writes');
    my $stream = $client->tls('one.test');
    $stream->send("GET /slow.shtml HTTP/1.1\r\nHost: one.test\r\n\r\n");
    ok($stream->read_until(qr/step 1\n/), '... which arrives while it goes on');
    spew($httpd->root . '/work/inc.1', '');
    ok($stream->read_until(qr/step 2\n.*after it\n/s), '... as does the rest');
    $stream->close;
    unlink $httpd->root . '/work/inc.1';
    return;
}

for my $mpm (qw(event worker prefork)) {
    my $httpd = SL::Httpd->new(mpm => $mpm, modules => [qw(deflate filter ratelimit env include), cgi_modules($mpm)]);
    $httpd->config(<<"CONF" . cgi_conf($mpm) . tls_host('one.test', $cert, 'SSLOptions +StdEnvVars'));
Listen 127.0.0.1:\${port_https}
AddOutputFilterByType DEFLATE text/plain
<Directory "\${cgi}">
    SetInputFilter DEFLATE
    SetEnv no-gzip 1
</Directory>
<Location /limited>
    SetOutputFilter RATE_LIMIT
    SetEnv rate-limit 400
    SetEnv rate-initial-burst 100
</Location>
<Directory "\${docs}/one.test">
    Options +Includes
    AddOutputFilter INCLUDES .shtml
    AddType text/html .shtml
</Directory>
CONF
    $httpd->file('docs/one.test/text.txt',       $text);
    $httpd->file('docs/one.test/limited/600000', pattern(600000));
    $httpd->file('docs/one.test/part.html',      "this is a file\n");
    $httpd->file('docs/one.test/page.shtml', "protocol=<!--#echo var=\"SSL_PROTOCOL\" --> https=<!--#echo var=\"HTTPS\" -->\n"
            . "file: <!--#include virtual=\"/part.html\" -->program: <!--#include virtual=\"/cgi-bin/bytes.pl?100000\" -->\nend\n");
    $httpd->file('docs/one.test/slow.shtml', "before\n<!--#include virtual=\"/cgi-bin/steps.pl?inc,2\" -->after it\n");
    scripts($httpd);
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    my $client = SL::Client->new(port => $httpd->port('https'));
    subtest "$mpm: mod_deflate",   sub { deflate($client) };
    subtest "$mpm: mod_ratelimit", sub { ratelimit($client) };
    subtest "$mpm: mod_include",   sub { include($httpd, $client) };
    $httpd->stop;
}
done_testing;

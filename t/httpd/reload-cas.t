# Hosts whose files of CAs are different ones with the same CAs in them share what is made of them, and nothing else: once one
# of the files changes, its host alone believes other clients, and no connection to another host gets around that.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slurp spew wait_until);
use SL::Conf qw(page);
use SL::Httpd;

my $certs = SL::Certs->new;
my $pair  = $certs->server('any.test', type => 'ecdsa', names => [map {"$_.test"} qw(a b c)]);
my ($ann, $eve) = ($certs->client('ann'), $certs->client('eve', issuer => 'other-ca'));
my ($cas, $others) = map { slurp($certs->ca($_)) } qw(client-ca other-ca);
my $httpd = SL::Httpd->new(modules => ['http2']);
my $dir   = $httpd->root . '/work';
my @names = map {"$_.test"} qw(a b c);

sub put_cas {
    my ($name, $text) = @_;
    spew("$dir/$name.new", $text);
    rename "$dir/$name.new", "$dir/$name.cas" or die "$name: $!";
    return;
}
put_cas($_, $cas) for @names;
page($httpd, @names);
$httpd->config("Protocols h2 http/1.1\nListen 127.0.0.1:\${port_https}\n" . join '',
    map {"<VirtualHost *:\${port_https}>\n ServerName $_\n DocumentRoot \"\${docs}/$_\"\n SSLEngine on\n SSLCertificateFile $pair->{full}\n"
            . " SSLCertificateKeyFile $pair->{key}\n SSLVerifyClient require\n SSLCACertificateFile $dir/$_.cas\n</VirtualHost>\n"} @names);
$httpd->start_ok or BAIL_OUT('httpd does not start');
like($httpd->error_log, qr/SL0005: 3 virtual hosts speak TLS, with 1 different settings/, 'three files with the same CAs: one set of settings');

my $client = SL::Client->new(port => $httpd->port('https'));
sub code {
    my ($name, $who, %o) = @_;
    return $client->curl("https://$name/", cert => $who, args => ['-k', $o{host} ? ('-H', "Host: $o{host}") : ()])->{code};
}
sub renew {
    my ($name, $text) = @_;
    $httpd->mark;
    put_cas($name, $text);
    ok($httpd->wait_for_log(qr{SL0150: what client certificates are checked against \(\S+/\Q$name\E\.cas\) was changed}, 20), "the CAs of $name change");
    return;
}

is(code($_, $ann), 200, "$_: a client of the CA comes in") for @names;
is(code($_, $eve), 0,   '... one of another CA does not')   for @names;
is(code('a.test', $ann, host => 'b.test'), 421, 'one connection does not get to both: the files may change one by one');

renew('b.test', $others);
is(code('b.test', $ann), 0,   'a client of the former CA is refused');
is(code('b.test', $eve), 200, '... one of the new CA comes in');
is(code($_, $ann), 200, "$_ believes whom it believed") for qw(a.test c.test);
is(code($_, $eve), 0,   '... and nobody else')           for qw(a.test c.test);
$httpd->mark;
is(code('a.test', $ann, host => 'b.test'), 421, 'a connection that another CA let in does not get to the host');
like($httpd->new_log, qr/AH02032: .* they differ in SSLCACertificateFile/, '... the log says why');

SKIP: {
    skip 'httpd -X, as one process, does not restart', 4 if $httpd->{single};
    ok($httpd->restart, 'a graceful restart');
    is(code('b.test', $ann), 0,   '... keeps what came');
    is(code('b.test', $eve), 200, '... for its host');
    is(code('a.test', $ann), 200, '... alone');
}
$httpd->stop;
done_testing;
